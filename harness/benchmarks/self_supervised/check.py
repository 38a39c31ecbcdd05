"""What is wrong with the labels of a dataset: as in classification."""

from harness.benchmarks.classification.check import problems

__all__ = ["problems"]
