"""From a benchmark's options to its pictures: which reader, which split, and the background crops of a single class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from harness.benchmarks.object_localization.options import (
    CocoData,
    CubData,
    LocalizationData,
    SyntheticData,
    VocXmlData,
    WsolData,
)
from harness.benchmarks.object_localization.readers.coco import scan_coco
from harness.benchmarks.object_localization.readers.picture import Listing, Picture
from harness.benchmarks.object_localization.readers.tables import scan_cub, scan_wsol
from harness.benchmarks.object_localization.readers.voc import scan_voc
from harness.errors import DataError
from harness.images import measure

Role = Literal["train", "calibration", "test"]

BACKGROUND = 1
"""Label of the background crops where there is a single class, which has label 0."""

_SMALLEST_CROP = 32
"""Shorter side of a background crop, in pixels."""


def scan(root: Path, data: LocalizationData) -> Listing:
    """Everything the annotation files say, and everything that is wrong with them; images are not opened."""
    if isinstance(data, WsolData):
        listing = scan_wsol(root, data)
    elif isinstance(data, CubData):
        listing = scan_cub(root, data)
    elif isinstance(data, CocoData):
        listing = scan_coco(root, data)
    else:
        assert isinstance(data, (VocXmlData, SyntheticData))
        listing = scan_voc(root, data.layout, several_labels=data.multi_label)
    if not any(problem.fatal for problem in listing.problems):
        boxed = {"test": listing.test, "training" if listing.calibration is None else "calibration": listing.calibration or listing.train}
        for role, pictures in boxed.items():
            if not any(picture.boxes for picture in pictures):
                listing.add(f"{role} split", "no image has a box", "add annotations, or correct the split")
    return listing


def read(root: Path, data: LocalizationData, role: Role) -> list[Picture]:
    """The pictures of one split.

    * ``train``: those with a label; where there is a single class, also a background crop of each.
    * ``calibration``: at most ``data.calibrate`` of the training split (or of one of their own), evenly spaced, that choose
      the threshold of CorLoc's box. They are test images, too, where both splits are the same.
    * ``test``: those with a box.

    Raises:
        DataError: an annotation file is missing or malformed; the sentence names the first.
    """
    listing = scan(root, data)
    fatal = [problem for problem in listing.problems if problem.fatal]
    if fatal:
        more = f" (and {len(fatal) - 1} more problems)" if len(fatal) > 1 else ""
        raise DataError(f"{root / fatal[0].where}: {fatal[0].what}{more}. To mend it, {fatal[0].mend}.")
    if role == "test":
        return [picture for picture in listing.test if picture.boxes]
    if role == "train":
        if data.class_count > 1:
            return [picture for picture in listing.train if picture.labels]
        return [crop for picture in listing.train for crop in _with_background(root, picture)]
    boxed = [picture for picture in (listing.train if listing.calibration is None else listing.calibration) if picture.boxes]
    count = min(data.calibrate, len(boxed))
    return [boxed[index * len(boxed) // count] for index in range(count)]


def _with_background(root: Path, picture: Picture) -> list[Picture]:
    """Image labels of a single class say nothing, so what lies beside the objects of the training images is the other class."""
    if not picture.boxes:
        return [replace(picture, labels=(BACKGROUND,))]
    try:
        width, height = measure(root / picture.file)
    except ValueError as reason:
        raise DataError(f"{root / picture.file}: {reason}. Fetch the file again, or delete it with its annotation.") from None
    x0, y0 = (int(min(box[side] for box in picture.boxes)) for side in (0, 1))
    x1, y1 = (int(max(box[side] for box in picture.boxes)) + 1 for side in (2, 3))
    strips = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
    strip = max(strips, key=lambda s: min(s[2] - s[0], s[3] - s[1]))
    if min(strip[2] - strip[0], strip[3] - strip[1]) < _SMALLEST_CROP:
        return [picture]
    return [picture, replace(picture, labels=(BACKGROUND,), boxes=(), crop=strip)]
