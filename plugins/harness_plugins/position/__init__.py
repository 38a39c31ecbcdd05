"""Position encodings of a transformer encoder."""
