"""Datasets of background robustness, one module per format."""
