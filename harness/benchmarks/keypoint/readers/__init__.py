"""How keypoint datasets lie on disk: a module per format; what they share is in ``pose``."""
