"""The trivial predictor: a box in the middle of every image, and the commonest class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Pictures
from harness.benchmarks.object_localization.scores import DELTAS, HIT, summary
from harness.benchmarks.object_localization.scores.boxes import iou_of_extents, iou_of_pixels, scale_to_grid

SHARE = 0.8
"""Side of the centre box, relative to the image's."""


def floor(_root: Path, data: LocalizationData, listing: Pictures) -> dict[str, float]:
    """The metrics of the centre box and the commonest training class."""
    counts = Counter(label for picture in listing.split("train") for label in picture.labels if picture.crop is None)
    commonest = min(counts, key=lambda label: (-counts[label], label))
    grid_ious, ious, correct = [], [], []
    for picture in listing.split("test"):
        size = picture.size or listing.measure(picture)
        box = np.array([[0.5 - SHARE / 2] * 2 + [0.5 + SHARE / 2] * 2]) * np.tile(size, 2)
        grid = size if data.full_resolution else (data.size, data.size)
        truth = np.array(picture.boxes)
        grid_ious.append(iou_of_pixels(scale_to_grid(box, size, grid), scale_to_grid(truth, size, grid)).max())
        ious.append(iou_of_extents(box, truth).max())
        correct.append(commonest in picture.labels)
    grid_iou = np.array(grid_ious)
    reached = grid_iou >= np.array(DELTAS)[:, None]
    metrics, _ = summary(reached, grid_iou >= HIT, np.array(ious) >= HIT, np.array(correct))
    return metrics
