"""What is wrong with the images of a localization dataset, and with what their boxes say about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Box, Picture, Pictures, several
from harness.benchmarks.options import DataOptions

_SHARE = 0.1
"""Of a split's boxes that look wrong, from which on all are taken to be."""

Size = tuple[int, int]


def problems(_root: Path, data: LocalizationData, listing: Pictures) -> Iterator[Problem]:
    """Sizes other than annotated, boxes beside their images, images without an object, and classes without training or test
    images."""
    sizes: dict[str, Size] = {}
    splits = {"training": listing.train, "validation": listing.val, "test": listing.test, "calibration": listing.calibration or []}
    for name, picture in ((name, picture) for name, pictures in splits.items() for picture in pictures):
        if picture.file not in sizes:
            try:
                sizes[picture.file] = listing.measure(picture)
            except ValueError as reason:
                if name == "calibration":  # of the others whoever looks at all pictures tells it
                    yield Problem.unread(picture.file, reason)
    every = list({picture.file: picture for pictures in splits.values() for picture in pictures if picture.file in sizes}.values())
    yield from sizes_differ(every, sizes, data)
    for name, pictures in splits.items():
        if pictures is not listing.train or name == "training":
            yield from boxes_outside([picture for picture in pictures if picture.file in sizes], sizes)
    if any(problem.fatal for problem in listing.problems):
        return  # what could not be read is missing below
    for name in ("validation", "test"):
        yield from _empty(name, [picture for picture in splits[name] if not picture.labels], "scored")
    if not listing.single:  # otherwise they show the background
        yield from _empty("training", [picture for picture in listing.train if not picture.labels], "trained on")
    for name, where, rest in (("training", "train split", ""), ("test", "test split", "; they cannot be scored")):
        shown = {label for picture in splits[name] for label in picture.labels}
        missing = sorted(set(range(data.class_count)) - shown)
        if missing and splits[name]:
            what = f"{len(missing)} of {data.class_count} classes have no {name} image (labels {', '.join(map(str, missing[:6]))}){rest}"
            yield Problem(where, what, "add images, or correct data.classes", fatal=False)


def sizes_differ(pictures: list[Picture], sizes: dict[str, Size], data: DataOptions) -> Iterator[Problem]:
    """Images of another size than their annotation says."""
    wrong = [picture for picture in pictures if picture.size and picture.size != sizes[picture.file]]
    if not wrong:
        return
    mend = "annotate the image as it is, or take the size out of the annotation if its boxes are right"
    if all(picture.size == sizes[picture.file][::-1] for picture in wrong):
        mend += f"; if an EXIF orientation turns it, try data.exif: {'ignore' if data.exif == 'apply' else 'apply'}"
    first = wrong[0]
    (width, height), (said_width, said_height) = sizes[first.file], first.size or (0, 0)
    what = f"'{first.file}' has {width} x {height} pixels, its annotation says {said_width} x {said_height}"
    yield Problem(first.source, what + _more(wrong, "image"), mend)


def boxes_outside(pictures: list[Picture], sizes: dict[str, Size]) -> Iterator[Problem]:
    """Boxes that leave their images; of many, what they seem to be instead."""
    boxes = [(picture, box) for picture in pictures for box in picture.boxes]
    inside_a_pixel = [(picture, box) for picture, box in boxes if box[2] <= 1 and box[3] <= 1]
    if len(inside_a_pixel) > _SHARE * len(boxes):
        what = f"{several(len(inside_a_pixel), 'box', 'boxes')} of {len(boxes)} in the first pixel, as if they were fractions"
        yield Problem(inside_a_pixel[0][0].source, what, "multiply x by the image's width and y by its height")
        return
    outside, beyond, far = [], [], 0
    for picture, box in boxes:
        x0, y0, x1, y1 = box
        width, height = sizes[picture.file]
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            outside.append((picture, box))
        elif x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            beyond.append((picture, box))
            far += x0 < -1 or y0 < -1 or x1 > width + 1 or y1 > height + 1
    if outside:
        picture, (what, size) = _first(outside, sizes)
        yield Problem(picture.source, f"{what} lies outside the image ({size}){_more(outside, 'box')}", "correct or delete it")
    if beyond:
        picture, (what, size) = _first(beyond, sizes)
        many = far > _SHARE * len(boxes)
        text = f"{what} reaches out of the image ({size}){_more(beyond, 'box')}" + ("" if many else "; it is used as it is")
        mend = (
            "see whether they are two corners where the format has width and height, or belong to images of another size"
            if many
            else "clip it"
        )
        yield Problem(picture.source, text, mend, fatal=many)


def _first(found: list[tuple[Picture, Box]], sizes: dict[str, Size]) -> tuple[Picture, tuple[str, str]]:
    picture, (x0, y0, x1, y1) = found[0]
    width, height = sizes[picture.file]
    return picture, (f"the box {x0:g}, {y0:g}, {x1:g}, {y1:g} of '{picture.file}'", f"{width} x {height}")


def _empty(split: str, pictures: list[Picture], use: str) -> Iterator[Problem]:
    if pictures:
        what = f"'{pictures[0].file}' shows no object; it is not {use}{_more(pictures, f'{split} image')}"
        yield Problem(pictures[0].source, what, "annotate it", fatal=False)


def _more(found: Sequence[object], one: str) -> str:
    """How many others are like the first."""
    count = len(found) - 1
    return f"; and {several(count, one, 'boxes' if one == 'box' else '')} more" if count else ""
