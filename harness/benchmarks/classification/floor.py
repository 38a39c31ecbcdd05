"""The trivial predictor: the most frequent training classes, guessed for every test image."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import Labels
from harness.benchmarks.classification.scores import topk


def floor(_root: Path, data: ClassificationData, listing: Labels) -> dict[str, float]:
    """Accuracy of the most frequent training classes."""
    import numpy as np

    train, test = ([sample.label for sample in listing.split(name)] for name in ("train", "test"))
    ranked = np.argsort(-np.bincount(train, minlength=len(listing.classes)), kind="stable")
    return {f"top{k}": 100 * float(np.isin(test, ranked[:k]).mean()) for k in topk(data)}
