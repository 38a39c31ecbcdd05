"""Test images with their classes written below: as in classification."""

from harness.benchmarks.classification.pictures import marks, samples

__all__ = ["marks", "samples"]
