"""What is wrong with the images of a localization dataset, and with what their boxes say about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Picture, Pictures
from harness.images import measure


def problems(root: Path, data: LocalizationData, listing: Pictures) -> Iterator[Problem]:
    """Broken images, boxes beside them, images in both splits or without an object, and classes without training images."""
    found: dict[str, Picture] = {}
    for picture in (*listing.train, *(listing.calibration or ()), *listing.test):
        found.setdefault(picture.file, picture)
    for picture in found.values():
        yield from _misplaced(root, picture)
    for picture in listing.test:
        # of a labelled image without a box the reader has told already
        if not picture.boxes and not picture.labels:
            yield Problem(picture.source, f"'{picture.file}' shows no object; it is not scored", "annotate it", fatal=False)
    shown = {label for picture in listing.train for label in picture.labels}
    missing = sorted(set(range(data.class_count)) - shown)
    if missing and listing.train:
        what = f"{len(missing)} of {data.class_count} classes have no training image (labels {', '.join(map(str, missing[:6]))})"
        yield Problem("train split", what, "add images, or correct data.classes", fatal=False)


def _misplaced(root: Path, picture: Picture) -> Iterator[Problem]:
    try:
        width, height = measure(root / picture.file, header_only=True)
    except ValueError:
        return  # told by whoever looks at all pictures
    if picture.size and picture.size != (width, height):
        what = f"'{picture.file}' has {width} x {height} pixels, its annotation says {picture.size[0]} x {picture.size[1]}"
        yield Problem(picture.source, what, "annotate the image as it is")
    for x0, y0, x1, y1 in picture.boxes:
        text = f"the box {x0:g}, {y0:g}, {x1:g}, {y1:g} of '{picture.file}'"
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            yield Problem(picture.source, f"{text} lies outside the image ({width} x {height})", "correct or delete it")
        elif x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            what = f"{text} reaches out of the image ({width} x {height}); it is used as it is"
            yield Problem(picture.source, what, "clip it", fatal=False)
