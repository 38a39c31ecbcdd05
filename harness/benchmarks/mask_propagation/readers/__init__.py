"""Videos with masks, one module per format."""
