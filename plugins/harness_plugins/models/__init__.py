"""Whole models, in a benchmark's own model's stead."""
