"""The trivial predictor: a box in the middle of every image, and the commonest class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from harness.benchmarks.object_localization.boxes import iou_of_extents, iou_of_pixels, scale_to_grid
from harness.benchmarks.object_localization.maxboxacc import DELTAS
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers import read
from harness.images import measure

SHARE = 0.8
"""Side of the centre box, relative to the image's."""


def centre_box(root: Path, data: LocalizationData) -> dict[str, float]:
    """The family's metrics, in percent, of the centre box and the commonest training class."""
    counts = Counter(label for picture in read(root, data, "train") for label in picture.labels if picture.crop is None)
    commonest = min(counts, key=lambda label: (-counts[label], label))
    grid_ious, ious, correct = [], [], []
    for picture in read(root, data, "test"):
        size = picture.size or measure(root / picture.file)
        box = np.array([[0.5 - SHARE / 2] * 2 + [0.5 + SHARE / 2] * 2]) * np.tile(size, 2)
        grid = size if data.full_resolution else (data.size, data.size)
        truth = np.array(picture.boxes)
        grid_ious.append(iou_of_pixels(scale_to_grid(box, size, grid), scale_to_grid(truth, size, grid)).max())
        ious.append(iou_of_extents(box, truth).max())
        correct.append(commonest in picture.labels)
    grid_iou, hit, right = np.array(grid_ious), np.array(ious) >= 0.5, np.array(correct)
    v2 = {f"maxboxaccv2@{delta:g}": 100 * float((grid_iou >= delta).mean()) for delta in DELTAS}
    return {
        "maxboxaccv2": float(np.mean(list(v2.values()))),
        **v2,
        "maxboxacc": 100 * float((grid_iou >= 0.5).mean()),
        "top1_loc": 100 * float(((grid_iou >= 0.5) & right).mean()),
        "corloc": 100 * float(hit.mean()),
        "top1": 100 * float(right.mean()),
    }
