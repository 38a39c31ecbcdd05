"""Top-1 and top-5 accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.benchmarks.base import Metric
from harness.benchmarks.classification.options import ClassificationData

if TYPE_CHECKING:
    import numpy as np

_TOP5_FROM = 6
"""Fewest classes for which five guesses are not all there is."""


def topk(data: ClassificationData) -> list[int]:
    """How many guesses an image gets."""
    return [1, 5] if data.class_count >= _TOP5_FROM else [1]


def metrics(data: ClassificationData) -> list[Metric]:
    """What a trial reports, see :func:`summarise`; the first also of each class."""
    return [Metric(f"top{k}", "%", True, f"Top-{k} accuracy", per_scene=k == 1) for k in topk(data)]


def summarise(hits: np.ndarray, labels: np.ndarray, k: Sequence[int], classes: Sequence[str]) -> dict[str, float]:
    """Accuracies in percent, that of the first guess also for the images of each class that has some.

    Args:
        hits: (N, len(k)) bool, whether the label is among the first k guesses.
        labels: (N,) class numbers.
    """
    import numpy as np

    values = {f"top{count}": 100 * float(hits[:, column].mean()) for column, count in enumerate(k)}
    first = hits[:, list(k).index(1)]
    return values | {f"top1/{classes[label]}": 100 * float(first[labels == label].mean()) for label in np.unique(labels)}
