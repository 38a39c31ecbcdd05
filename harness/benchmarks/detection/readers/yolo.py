"""YOLO's layout: beside each image a text file with a line for each object.

```
images/train/0001.jpg   labels/train/0001.txt:  0 0.51 0.40 0.22 0.31
```

A line is the class, counted from 0, and the centre, width and height of its box as shares of the image. An image without a text file,
or with an empty one, shows nothing. Where a list of names (``classes.txt``, ``obj.names``, ``names`` in ``data.yaml`` or another trainer's
file of the same classes) lies with the text files, or in a folder above them, their numbers are its names, in whatever order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format, Problem, relative
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Box, Object, Picture, Pictures, box_area
from harness.benchmarks.detection.readers.yolo_names import LISTS, Counted, Names
from harness.benchmarks.object_localization.readers.picture import several
from harness.benchmarks.options import Options
from harness.benchmarks.spelled import Spelled
from harness.images import search

Shares = tuple[float, float, float, float]
"""Centre, width and height of a box as shares of the image."""

_ROUNDING = 0.01
"""Share of the image that a box may leave it by, as two or three decimals make it; Ultralytics allows as much."""
_MANY = 0.1
"""Of a split's boxes that leave their images, from which on all are taken to be something else."""


class YoloSplit(Options):
    """One split."""

    images: str
    """Folder of the images, subfolders included."""
    labels: str
    """Folder of the text files, which lie in it as the images do in theirs."""


class YoloData(DetectionData):
    """Images with YOLO's text files."""

    format: Literal["yolo"]
    root: str
    classes: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    """Names in the order in which the text files count them."""
    train: YoloSplit
    test: YoloSplit
    val: YoloSplit | None = None
    """For validation; without it, ``val_share`` of the training images."""

    @model_validator(mode="after")
    def _named_once(self) -> YoloData:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is listed twice")
        return self

    @property
    def class_count(self) -> int:
        return len(self.classes)


def read(root: Path, data: YoloData) -> Pictures:
    """List all splits."""
    listing = Pictures(root=root, exif=data.exif == "apply", classes=list(data.classes))
    names, claims = Names(data.classes, listing), dict[Path, Path]()
    for name, split in (("train", data.train), ("test", data.test), ("val", data.val)):
        if split is None:
            continue
        if not (root / split.images).is_dir() or not (root / split.labels).is_dir():
            missing = split.labels if (root / split.images).is_dir() else split.images
            listing.add(missing, "the folder is missing", f"put it there, or correct data.{name}")
            continue
        setattr(listing, name, _Split(split, names, claims, listing).pictures())
    names.tell()
    _without_image(listing, [split.labels for split in (data.train, data.test, data.val) if split])
    return listing.finish()


def _without_image(listing: Pictures, folders: list[str]) -> None:
    """Note text files that describe no image: one that was renamed would count as an image that shows nothing."""
    known = {*listing.sources}
    for name in dict.fromkeys(folders):
        texts = [file for file in (listing.root / name).rglob("*") if file.suffix.lower() == ".txt" and file.name not in LISTS]
        strays = sorted(file for file in texts if file not in known)
        if strays:
            what = f"{several(len(strays), 'text file')} of no image, e.g. {strays[0].relative_to(listing.root / name)}"
            listing.add(name, what, "name each as its image, or delete it", fatal=False)


class _Split:
    """A split on its way to pictures; what is odd about many of its boxes and text files is counted, and told once a kind."""

    def __init__(self, split: YoloSplit, names: Names, claims: dict[Path, Path], listing: Pictures):
        self._split, self._names, self._listing = split, names, listing
        self._claims = claims
        """Text file -> the image that it is of."""
        self._there = Spelled(listing.root / split.labels)
        self._boxes: list[tuple[str, Shares]] = []
        self._flat: list[str] = []
        self._bare: list[str] = []

    def pictures(self) -> list[Picture]:
        """The pictures of the split, by path."""
        listing, where = self._listing, self._split.labels
        found = search(listing.root / self._split.images)
        listing.left_out += found.passed_over
        pictures = [self._picture(place, file) for place, file in enumerate(found.files)]
        if flat := self._flat:
            what = f"{several(len(flat), 'box', 'boxes')} thinner than a pixel left out, e.g. in {flat[0]}"
            listing.add(where, what, "correct or delete them", fatal=False)
        if bare := self._bare:
            what = f"{len(bare)} of {len(pictures)} images have no text file, e.g. '{bare[0]}'; they count as images that show nothing"
            listing.add(where, what, "put the text files there, an empty one for an image that shows nothing", fatal=False)
        self._tell_leaving()
        return pictures

    def _text(self, file: Path) -> Path:
        """The text file of an image, in whatever Unicode form, and whether its suffix is written small or large."""
        name = file.relative_to(self._listing.root / self._split.images).with_suffix(".txt")
        return self._there.file(name.as_posix()) or self._there.root / name

    def _picture(self, number: int, file: Path) -> Picture:
        listing, labels = self._listing, self._text(file)
        name, where = relative(file, listing.root), relative(labels, listing.root)
        listing.sources.append(labels)
        bare = Picture(number, file, (), None, where)
        if not labels.is_file():
            self._bare.append(name)
            return bare
        other = self._claims.setdefault(labels, file)
        if other != file:
            what = f"it would describe two images, '{relative(other, listing.root)}' and '{name}'"
            listing.add(where, what, "rename one of them, with a text file of its own, or delete it")
        try:
            lines = labels.read_text(encoding="utf-8-sig").splitlines()
            size = listing.measure(bare)
        except (OSError, UnicodeDecodeError):
            listing.add(where, "the file cannot be read", "save it as UTF-8 text")
            return bare
        except ValueError as reason:
            listing.problems.append(Problem.unread(name, reason, "its text file"))
            return bare
        counted = self._names.of(labels.parent)
        objects = []
        for row, line in enumerate(lines, 1):
            said = _said(line, counted, f"{where} (line {row})", listing) if line.strip() else None
            if said is None:
                continue
            label, shares = said
            self._boxes.append((where, shares))
            box = _cut(shares, size)
            if min(box[2] - box[0], box[3] - box[1]) < 1:
                self._flat.append(where)
            else:
                objects.append(Object(label, box, box_area(box)))
        return Picture(number, file, tuple(objects), size, where)

    def _tell_leaving(self) -> None:
        """Note boxes that leave their images; of many, what their numbers seem to be instead."""
        every = [shares for _, shares in self._boxes]
        far = [where for where, (x, y, w, h) in self._boxes if not _is_inside(x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
        if not far:
            return
        what = f"{len(far)} of {several(len(every), 'box', 'boxes')} reach out of their image, e.g. in {far[0]}"
        mend = "write the centre of each box, then its width and height"
        many = len(far) > _MANY * len(every)
        if not many:
            what, mend = f"{what}; they are cut to it", f"if something else is meant, {mend}"
        elif all(x1 > x0 and y1 > y0 and _is_inside(x0, y0, x1, y1) for x0, y0, x1, y1 in every):
            what += "; all lie in theirs as x0, y0, x1, y1"
        elif all(_is_inside(x, y, x + w, y + h) for x, y, w, h in every):
            what += "; all lie in theirs if the first two numbers are the upper left corner"
        else:
            mend += ", as shares of the image that the text file is of"
        self._listing.add(self._split.labels, what, mend, fatal=many)


def _is_inside(x0: float, y0: float, x1: float, y1: float) -> bool:
    return min(x0, y0) >= -_ROUNDING and max(x1, y1) <= 1 + _ROUNDING


def _said(line: str, counted: Counted, where: str, listing: Pictures) -> tuple[int, Shares] | None:
    """Label, and centre, width and height of a box; ``None`` (and a problem) where the line says no such thing."""
    columns = line.split()
    try:
        number, (x, y, width, height) = _whole(columns[0]), map(float, columns[1:])
    except ValueError:
        mend = "write the class's number, then the centre, width and height of its box; polygons are not read"
        listing.add(where, f"'{line[:40]}' is not five numbers", mend)
        return None
    if not 0 <= number < len(counted.labels):
        mend = f"count from 0 to {len(counted.labels) - 1}, or add it to {counted.file if counted.moved else 'data.classes'}"
        listing.add(where, f"there is no class {number}", mend)
        return None
    label = counted.labels[number]
    if label is None:
        what = f"the class {number} is '{counted.names[number]}' in {counted.file}, which data.classes lacks"
        listing.add(where, what, "add it to data.classes, or correct the list")
        return None
    # comparisons with what is not a number say no
    if not (all(0 <= share <= 1.5 for share in (x, y, width, height)) and width and height and x - width / 2 < 1 and y - height / 2 < 1):
        listing.add(where, f"'{line[:40]}' is no box inside the image", "write shares of the image's width and height, from 0 to 1")
        return None
    return label, (x, y, width, height)


def _whole(text: str) -> int:
    value = float(text)  # numpy.savetxt writes 1.0 and 1.000e+00
    if not value.is_integer():
        raise ValueError(f"{text} is no whole number")
    return int(value)


def _cut(shares: Shares, size: tuple[int, int]) -> Box:
    """The box in pixels, cut to its image."""
    x, y, width, height = shares
    return (
        max(0.0, (x - width / 2) * size[0]),
        max(0.0, (y - height / 2) * size[1]),
        min(float(size[0]), (x + width / 2) * size[0]),
        min(float(size[1]), (y + height / 2) * size[1]),
    )


FORMAT = Format(YoloData, read)
