"""The trivial predictor: the same protocols on the pixels themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import images
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.frozen_features.scores import Vectors, protocols, summarise

if TYPE_CHECKING:
    from harness.images import Decoding

_SIDE = 8
"""Pixels of the pictures whose numbers are the vector."""
_EACH = 200
"""Training images of a class that are read at most: as many neighbours are asked for."""


def floor(_root: Path, data: ClassificationData, listing: Labels) -> dict[str, float]:
    """What is known without any network: all protocols over the colours of 8 x 8 pixels, of up to 200 training images a class.

    The trained classifier is the linear probe here.
    """
    decoding, seen = listing.decoding(data), dict[int, int]()
    train = []
    for sample in listing.split("train"):
        seen[sample.label] = seen.get(sample.label, 0) + 1
        if seen[sample.label] <= _EACH:
            train.append(sample)
    val = listing.of("val")
    hits, _, _ = protocols(
        _pixels(train, decoding), _pixels(val, decoding) if val else None, _pixels(listing.split("test"), decoding), len(listing.classes)
    )
    found = summarise(hits)
    return found | {"head": found["linear"]}


def _pixels(samples: list[Labelled], decoding: Decoding) -> Vectors:
    import cv2
    import numpy as np

    small = [cv2.resize(images.read_rgb(sample.file, decoding), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel() for sample in samples]
    return Vectors(np.array(small, np.float32), np.array([sample.label for sample in samples]))
