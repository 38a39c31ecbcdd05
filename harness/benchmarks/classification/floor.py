"""The trivial predictor: the most frequent training classes, guessed for every test image."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labels
from harness.benchmarks.classification.scores import summarise, topk


def floor(_root: Path, data: ClassificationData, listing: Labels) -> dict[str, float]:
    """Accuracy of the most frequent training classes; not of each class, since that of the guessed one is perfect."""
    import numpy as np

    train, test = ([sample.label for sample in listing.split(name)] for name in ("train", "test"))
    ranked = np.argsort(-np.bincount(train, minlength=len(listing.classes)), kind="stable")
    guesses = topk(data)
    hits = np.stack([np.isin(test, ranked[:k]) for k in guesses], axis=1)
    found = summarise(hits, np.array(test), guesses, listing.classes)
    return {name: value for name, value in found.items() if "/" not in name}
