"""Datasets of image retrieval, one module per format."""
