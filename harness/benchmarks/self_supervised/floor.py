"""The trivial predictor: the protocols on the pixels themselves, and a mask that looks at nothing.

The other floor, the network before training, depends on model and seed: each trial reports it itself.
"""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labels
from harness.benchmarks.frozen_features import floor as pixels
from harness.benchmarks.self_supervised.scores.objects import area
from harness.benchmarks.self_supervised.synthetic import box_of


def floor(root: Path, data: ClassificationData, listing: Labels) -> dict[str, float]:
    """What is known without any network."""
    found = pixels.floor(root, data, listing)
    del found["head"]
    boxes = [box_of(root, listing.image(sample)) for sample in listing.split("test")] if data.format == "synthetic" else []
    if known := [box for box in boxes if box is not None]:
        found |= dict.fromkeys(("masked_on_object", "attention_on_object", "pointing"), 100 * area(known))
    return found
