"""The trivial predictor: the most frequent class of the training images, guessed for every test image."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.background_robustness.readers.varied import Variants
from harness.benchmarks.background_robustness.scores import judged, summarise


def floor(_root: Path, _data: BackgroundData, listing: Variants) -> dict[str, float]:
    """Accuracy on each variant of the class that most training images have, of those that test images may have."""
    import numpy as np

    classes = judged(np.array([sample.label for sample in listing.split("train")]), listing.mapping)
    guess = np.bincount(classes[classes >= 0], minlength=len(listing.groups)).argmax()
    test = listing.varied
    hits = np.array([sample.label for sample in test]) == guess
    return summarise(hits, np.array([sample.variant for sample in test]))
