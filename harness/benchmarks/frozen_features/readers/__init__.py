"""None of its own: datasets are read as in classification."""
