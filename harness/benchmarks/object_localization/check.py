"""What is missing or malformed in a localization dataset."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers import Listing, Picture, scan
from harness.images import measure


def problems(root: Path, data: LocalizationData) -> list[Problem]:
    """Everything wrong with the annotations, and with every image that they name."""
    listing = scan(root, data)
    found: dict[str, Picture] = {}
    for picture in [*listing.train, *(listing.calibration or []), *listing.test]:
        found.setdefault(picture.file, picture)
    for picture in found.values():
        _check_image(root, picture, listing)
    train = {picture.file for picture in listing.train}
    test = {picture.file for picture in listing.test}
    if train & test and train != test:
        both = sorted(train & test)
        what = f"{len(both)} images are in the training and in the test split"
        listing.add(both[0], what, "give disjoint splits, or the same list twice", fatal=False)
    for picture in listing.test:
        # of a labelled image without a box the reader has told already
        if not picture.boxes and not picture.labels:
            listing.add(picture.source, f"'{picture.file}' shows no object; it is not scored", "annotate it", fatal=False)
    shown = {label for picture in listing.train for label in picture.labels}
    missing = sorted(set(range(data.class_count)) - shown)
    if missing and listing.train:
        what = f"{len(missing)} of {data.class_count} classes have no training image (labels {', '.join(map(str, missing[:6]))})"
        listing.add("train split", what, "add images, or correct data.classes", fatal=False)
    return listing.problems


def _check_image(root: Path, picture: Picture, listing: Listing) -> None:
    try:
        width, height = measure(root / picture.file)
    except ValueError as reason:
        listing.add(picture.file, str(reason), "fetch the file again, or delete it with its annotation")
        return
    if picture.size and picture.size != (width, height):
        what = f"'{picture.file}' has {width} x {height} pixels, its annotation says {picture.size[0]} x {picture.size[1]}"
        listing.add(picture.source, what, "annotate the image as it is")
    for x0, y0, x1, y1 in picture.boxes:
        text = f"the box {x0:g}, {y0:g}, {x1:g}, {y1:g} of '{picture.file}'"
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            listing.add(picture.source, f"{text} lies outside the image ({width} x {height})", "correct or delete it")
        elif x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            what = f"{text} reaches out of the image ({width} x {height}); it is used as it is"
            listing.add(picture.source, what, "clip it", fatal=False)
