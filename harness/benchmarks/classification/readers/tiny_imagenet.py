"""Tiny-ImageNet as distributed (``tiny-imagenet-200``): 200 classes of 500 training images of 64 x 64, and 10,000 to test on.

``train/n01443537/images/n01443537_0.JPEG``; ``val/images/val_0.JPEG`` and ``val/val_annotations.txt`` with lines like

    val_0.JPEG	n03444034	0	32	44	62
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import folders_of
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.listed import rows_in
from harness.images import search

_TRAIN, _IMAGES, _ANNOTATIONS = "train", "val/images", "val/val_annotations.txt"


class TinyImageNetData(ClassificationData):
    """Trained on ``train``, tested on ``val``, since the labels of its test set are not public."""

    format: Literal["tiny-imagenet"]
    root: str

    @property
    def class_count(self) -> int:
        return 200


def read(root: Path, data: TinyImageNetData) -> Labels:
    """List both splits; labels count the classes by name."""
    listing = Labels(classes=folders_of(root / _TRAIN) if (root / _TRAIN).is_dir() else [])
    if len(listing.classes) != data.class_count:
        listing.add(_TRAIN, f"{len(listing.classes)} class folders, where Tiny-ImageNet has {data.class_count}", "unpack it anew")
    for label, name in enumerate(listing.classes):
        found = search(root / _TRAIN / name / "images")
        listing.left_out += found.passed_over
        listing.train += [Labelled(file, label) for file in found.files]
    known = {name: label for label, name in enumerate(listing.classes)}
    listing.sources.append(root / _ANNOTATIONS)
    for row in rows_in(root, _ANNOTATIONS, listing):
        file = root / _IMAGES / row[0]
        if len(row) < 2 or row[1] not in known:
            listing.add(_ANNOTATIONS, f"the line '{' '.join(row):.60}' names no class of the training images", "unpack the dataset anew")
            break
        if not file.is_file():
            listing.add(_IMAGES, f"{row[0]} is missing", "unpack the dataset anew")
            break
        listing.test.append(Labelled(file, known[row[1]]))
    return listing


FORMAT = Format(TinyImageNetData, read)
