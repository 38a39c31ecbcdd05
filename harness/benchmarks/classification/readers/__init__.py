"""How classification datasets lie on disk: a module per format."""
