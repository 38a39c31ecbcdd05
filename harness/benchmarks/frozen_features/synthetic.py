"""Cluttered scenes: as in classification."""

from harness.benchmarks.classification.synthetic import FORMAT

__all__ = ["FORMAT"]
