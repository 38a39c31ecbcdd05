"""Test images with their classes written below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import images
from harness.benchmarks.base import Sample, relative
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labels
from harness.diagnostics.maps import Marks


def samples(root: Path, data: ClassificationData, listing: Labels, count: int) -> list[Sample]:
    """Test images of every class in turn."""
    ranks: dict[int, int] = {}
    order = []
    for index, sample in enumerate(listing.split("test")):
        ranks[sample.label] = ranks.get(sample.label, -1) + 1
        order.append((ranks[sample.label], index, sample))
    shown, decoding = [], listing.decoding(data)
    for _, _, sample in sorted(order, key=lambda entry: entry[:2])[:count]:
        name = listing.classes[sample.label]
        image = images.read_rgb(listing.image(sample), decoding)
        large, _ = images.enlarge(image)
        shown.append(Sample(relative(sample.file, root), image, images.label_strip(large, name), name))
    return shown


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """The class of a tested image and the one it was taken for, by name."""
    classes = evaluator.dataset_meta["classes"]
    return Marks(text=", ".join(classes[label] for label in sample.gt_label.tolist())), Marks(text=classes[int(sample.pred_score.argmax())])
