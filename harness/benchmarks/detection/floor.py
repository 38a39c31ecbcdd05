"""The trivial predictor: the same boxes in every image, where the training images have had objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Picture, Pictures
from harness.benchmarks.detection.scores import Found, overlaps, summarise

BOXES = 100
"""As many as count in an image."""
CANDIDATES = 400
"""Training boxes of a class that are tried, evenly spaced over the training images."""
_HIT = 0.5


def floor(_root: Path, data: DetectionData, listing: Pictures) -> dict[str, float]:
    """COCO's numbers of the boxes that find most training objects; no masks are found.

    For each class boxes are taken one by one from its training boxes, each the one that overlaps most objects by half that no box has
    found yet; it scores as many of the training images as it finds an object in. The best hundred of all classes are kept.
    """
    train, test = listing.split("train"), listing.split("test")
    boxes, scores, labels = _densest(train, listing, data.class_count)
    found = [Found(boxes * np.tile(_size(picture, listing), 2), scores, labels) for picture in test]
    values = summarise(test, found, listing.classes)
    return values


def _size(picture: Picture, listing: Pictures) -> tuple[int, int]:
    return picture.size or listing.measure(picture)


def _densest(train: list[Picture], listing: Pictures, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4) as shares of the image, scores (N,) and labels (N,), the best first."""
    of_class: list[list[np.ndarray]] = [[] for _ in range(classes)]
    for picture in train:
        extent = np.tile(_size(picture, listing), 2) if picture.objects else np.ones(4)
        for item in picture.objects:
            if not item.optional:
                of_class[item.label].append(np.array(item.box) / extent)
    rows = [(score, label, box) for label, some in enumerate(of_class) if some for score, box in _chosen(np.stack(some), len(train))]
    rows = sorted(rows, key=lambda row: -row[0])[:BOXES]
    return np.array([box for *_, box in rows]), np.array([score for score, *_ in rows]), np.array([label for _, label, _ in rows])


def _chosen(boxes: np.ndarray, images: int) -> list[tuple[float, np.ndarray]]:
    count = min(CANDIDATES, len(boxes))
    candidates = boxes[np.arange(count) * len(boxes) // count]
    near = np.concatenate([overlaps(some, candidates) >= _HIT for some in np.array_split(boxes, 1 + len(boxes) // 4096)])
    chosen: list[tuple[float, np.ndarray]] = []
    while len(chosen) < BOXES and near.any():
        hits = near.sum(0)
        best = int(hits.argmax())
        chosen.append((hits[best] / images, candidates[best]))
        near = near[~near[:, best]]
    return chosen
