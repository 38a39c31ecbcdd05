"""The trivial predictor: the class with the most training pixels, everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.benchmarks.segmentation.options import SegmentationData
from harness.benchmarks.segmentation.readers.pairs import Pairs
from harness.benchmarks.segmentation.scores import counts, summarise


def floor(_root: Path, data: SegmentationData, listing: Pairs) -> dict[str, float]:
    """Scores of predicting the majority class of the training pixels for every test pixel."""
    classes = len(listing.classes)
    areas = np.zeros(classes, np.int64)
    for pair in listing.split("train"):
        label = pair.read(listing.labels)
        areas += np.bincount(label[label != data.ignore_index], minlength=classes)[:classes]
    majority = int(areas.argmax())
    total = np.zeros((3, classes), np.int64)
    for pair in listing.split("test"):
        label = pair.read(listing.labels)
        total += counts(np.full_like(label, majority), label, classes, data.ignore_index)
    return summarise(total, listing.classes)
