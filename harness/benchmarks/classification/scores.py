"""Top-1 and top-5 accuracy."""

from __future__ import annotations

from harness.benchmarks.base import Metric
from harness.benchmarks.classification.options import ClassificationData

_TOP5_FROM = 6
"""Fewest classes for which five guesses are not all there is."""


def topk(data: ClassificationData) -> list[int]:
    """How many guesses an image gets."""
    return [1, 5] if data.class_count >= _TOP5_FROM else [1]


def metrics(data: ClassificationData) -> list[Metric]:
    """What a trial reports."""
    return [Metric(f"top{k}", "%", True, f"Top-{k} accuracy") for k in topk(data)]
