"""Test images with their classes written below: as in classification."""

from harness.benchmarks.classification.pictures import samples

__all__ = ["samples"]
