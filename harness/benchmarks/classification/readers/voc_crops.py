"""The objects of a dataset in PASCAL VOC's layout, each cut out of its picture: the class of the object is that of the crop.

Pictures, annotations and lists are those of detection's ``voc-xml``. A crop is a square around the centre of the object's box, cut to the
picture where it reaches out of it. Its side is the box's longer one and ``context`` of that on either side, rounded, and no less than the
4 pixels that a network needs; what lies beyond the picture's border repeats the pixel at the border. Difficult objects, and boxes no more
than a pixel wide or high, are left out. Crops are written once into the harness's cache, as PNG; those of one picture stay together when a
validation split is held out, and intervals over test samples draw pictures.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import SPLITS, Format, Problem, relative
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.benchmarks.detection import check
from harness.benchmarks.detection.readers import voc_xml
from harness.benchmarks.detection.readers.picture import Box, Pictures
from harness.benchmarks.unpacking import MEND, unpack, unwritten
from harness.benchmarks.voc_options import VocLayout
from harness.digests import content
from harness.images import measure, read_deep, write_image

if TYPE_CHECKING:
    import numpy as np

_CUT = 2
"""Version of what is cut out: raise it whenever a picture may differ."""

_SMALLEST = 4
"""Side of the smallest crop."""

_LAYOUT = ("classes", "images", "annotations", "train", "test", "val", "test_fraction", "seed", "together", "exif", "bits")
"""Options that mean what they mean in detection."""


class VocCropsData(VocLayout, ClassificationData):
    """Images and one PASCAL VOC XML file each, of which every object is a sample."""

    format: Literal["voc-crops"]
    classes: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2)]
    """Names of the objects, in label order."""
    context: float = Field(default=0.1, ge=0, le=4)
    """How much is seen around a box on either side, as a share of its longer side."""
    most: int | None = Field(default=None, ge=1)
    """At most so many crops of a class in each split, evenly spaced in its order; all by default."""

    @model_validator(mode="after")
    def _consistent(self) -> VocCropsData:
        self.layout(Path())
        return self

    @property
    def class_names(self) -> list[str]:
        return self.classes

    @property
    def class_count(self) -> int:
        return len(self.classes)

    def layout(self, root: Path) -> voc_xml.VocXmlData:
        """The same as options of detection.

        Raises:
            ValueError: options that exclude each other.
        """
        return voc_xml.VocXmlData(format="voc-xml", root=str(root), **self.model_dump(include={*_LAYOUT}))


@dataclass(frozen=True)
class Crop(Labelled):
    """An object of a picture; ``file`` lies in the cache."""

    picture: Path
    box: Box
    """As annotated: x0 y0 x1 y1 in pixels from the picture's upper left corner; x1 and y1 lie one past the last pixel."""


@dataclass
class Crops(Labels):
    """Crops of the splits, by picture, then in the order of the annotation."""

    layout: voc_xml.VocXmlData | None = None
    pictures: Pictures = field(default_factory=Pictures)
    """What they were cut out of."""

    def whole(self, sample: Labelled) -> Path:
        assert isinstance(sample, Crop)
        return sample.picture

    def looked_at(self) -> Iterator[Problem]:
        if self.layout is not None:
            for problem in check.problems(self.root, self.layout, self.pictures):
                yield replace(problem, what=problem.what.replace("it is used as it is", "it is cut to the image"))


def read(root: Path, data: VocCropsData) -> Crops:
    """List the crops of all splits, and cut them out if they are not there yet."""
    layout = data.layout(root)
    found = voc_xml.read(root, layout)
    listing = Crops(root=root, classes=list(data.classes), layout=layout, pictures=found)
    listing.problems, listing.left_out = [*found.problems], found.left_out
    listing.sources = [*found.sources, *found.files()]
    if any(problem.fatal for problem in found.problems):
        return listing
    chosen = {split: _chosen([*_objects(found, split)], data.most) for split in SPLITS}
    every = [*dict.fromkeys(crop for crops in chosen.values() for crop in crops)]
    folder = _cut_out(every, data, listing)
    if folder is None:
        return listing
    listing.unpacked.append(folder)
    files = {crop: folder / name for crop, name in zip(every, _names(every), strict=True)}
    for split, crops in chosen.items():
        setattr(listing, split, [replace(crop, file=files[crop]) for crop in crops])
    return listing


def _objects(found: Pictures, split: Literal["train", "val", "test"]) -> Iterator[Crop]:
    for picture in found.of(split):
        for item in picture.objects:
            if not item.optional:
                yield Crop(Path(), item.label, picture.file, item.box)


def _chosen(crops: list[Crop], most: int | None) -> list[Crop]:
    if most is None:
        return crops
    kept: set[int] = set()
    for label in {crop.label for crop in crops}:
        places = [place for place, crop in enumerate(crops) if crop.label == label]
        count = min(most, len(places))
        kept.update(places[index * len(places) // count] for index in range(count))
    return [crop for place, crop in enumerate(crops) if place in kept]


def _names(crops: list[Crop]) -> list[str]:
    """By which people find the picture, whatever characters its own name has."""
    return [f"{number:05d}-{re.sub(r'[^A-Za-z0-9.-]+', '_', crop.picture.stem)[:60]}.png" for number, crop in enumerate(crops)]


def _cut_out(crops: list[Crop], data: VocCropsData, listing: Crops) -> Path | None:
    """The folder of the crops; ``None`` (and problems) where there is none."""
    names = _names(crops)
    of_picture: dict[Path, list[int]] = {}
    for number, crop in enumerate(crops):
        of_picture.setdefault(crop.picture, []).append(number)
    boxes = [[crops[number].box for number in numbers] for numbers in of_picture.values()]
    hasher = hashlib.blake2b(json.dumps([_CUT, data.context, data.exif, names, boxes]).encode(), digest_size=12)
    for picture in of_picture:
        try:
            hasher.update(content(picture))
        except OSError as error:
            _unread(listing, picture, f"the image cannot be read ({error.strerror})")
    before = len(listing.problems)

    def write(folder: Path) -> None:
        for picture, numbers in of_picture.items():
            try:
                measure(picture)  # OpenCV makes up what is missing of a JPEG
                pixels = read_deep(picture, exif=data.exif == "apply")
            except ValueError as reason:
                _unread(listing, picture, str(reason))
                continue
            for number in numbers:
                write_image(folder / names[number], cut(pixels, crops[number].box, data.context)[..., ::-1])
        if len(listing.problems) > before:
            raise _Damaged

    if any(problem.fatal for problem in listing.problems):
        return None
    try:
        return unpack(f"crops-{hasher.hexdigest()}", write)
    except _Damaged:
        return None
    except OSError as error:
        listing.add(data.images, f"the crops of its pictures {unwritten(error)}", MEND)
        return None


class _Damaged(Exception):
    """A picture cannot be read, which stands among the problems."""


def _unread(listing: Crops, picture: Path, reason: str) -> None:
    listing.problems.append(Problem.unread(relative(picture, listing.root), reason))


def cut(pixels: np.ndarray, box: Box, context: float) -> np.ndarray:
    """The square (S, S, 3) around a box of a picture (H, W, 3); of a box beside the picture, around what is nearest to it."""
    import numpy as np

    height, width = pixels.shape[:2]
    x0, x1 = (min(max(value, 0.0), width) for value in (box[0], box[2]))
    y0, y1 = (min(max(value, 0.0), height) for value in (box[1], box[3]))
    side = max(_SMALLEST, math.floor(max(x1 - x0, y1 - y0) * (1 + 2 * context) + 0.5))
    left, top = (math.floor((first + last - side) / 2 + 0.5) for first, last in ((x0, x1), (y0, y1)))
    rows, columns = (np.clip(np.arange(start, start + side), 0, length - 1) for start, length in ((top, height), (left, width)))
    square: np.ndarray = pixels[np.ix_(rows, columns)]
    return square


FORMAT = Format(VocCropsData, read)
