"""Formats are those of classification."""
