"""Which of the boxes of one image is the duplicate of another, (R, C), boxes and scores -> scores (R, K)."""
