"""How segmentation datasets lie on disk: a module per format."""
