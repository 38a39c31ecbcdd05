"""YOLO's layout: beside each image a text file with a line for each object.

```
images/train/0001.jpg   labels/train/0001.txt:  0 0.51 0.40 0.22 0.31
```

A line is the class, counted from 0, and the centre, width and height of its box as shares of the image. An image without a text file,
or with an empty one, shows nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format, relative
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Object, Picture, Pictures, box_area
from harness.benchmarks.object_localization.readers.picture import several
from harness.benchmarks.options import Options
from harness.images import search

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


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
    classes: Names
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
    for name, split in (("train", data.train), ("test", data.test), ("val", data.val)):
        if split is None:
            continue
        if not (root / split.images).is_dir() or not (root / split.labels).is_dir():
            missing = split.labels if (root / split.images).is_dir() else split.images
            listing.add(missing, "the folder is missing", f"put it there, or correct data.{name}")
            continue
        found = search(root / split.images)
        listing.left_out += found.passed_over
        flat: list[str] = []
        setattr(listing, name, [_picture(place, file, split, listing, flat) for place, file in enumerate(found.files)])
        if flat:
            what = f"{several(len(flat), 'box', 'boxes')} thinner than a pixel left out, e.g. in {flat[0]}"
            listing.add(split.labels, what, "correct or delete them", fatal=False)
    _without_image(listing, [split.labels for split in (data.train, data.test, data.val) if split])
    return listing.finish()


def _without_image(listing: Pictures, folders: list[str]) -> None:
    """Note text files that describe no image: one that was renamed would count as an image that shows nothing."""
    known = {*listing.sources}
    for name in dict.fromkeys(folders):
        strays = sorted(file for file in (listing.root / name).rglob("*.txt") if file not in known and file.name != "classes.txt")
        if strays:
            what = f"{several(len(strays), 'text file')} of no image, e.g. {strays[0].relative_to(listing.root / name)}"
            listing.add(name, what, "name each as its image, or delete it", fatal=False)


def _picture(number: int, file: Path, split: YoloSplit, listing: Pictures, flat: list[str]) -> Picture:
    """An image with its objects; ``flat`` gets its text file once for each box that is left out."""
    root = listing.root
    labels = root / split.labels / file.relative_to(root / split.images).with_suffix(".txt")
    where = relative(labels, root)
    listing.sources.append(labels)
    bare = Picture(number, file, (), None, where)
    if not labels.is_file():
        return bare
    try:
        lines = labels.read_text(encoding="utf-8-sig").splitlines()
        size = listing.measure(bare)
    except (OSError, UnicodeDecodeError):
        listing.add(where, "the file cannot be read", "save it as UTF-8 text")
        return bare
    except ValueError as reason:
        listing.add(relative(file, root), str(reason), "fetch the file again, or delete it with its text file")
        return bare
    found = [_object(line, f"{where} (line {row})", size, listing) for row, line in enumerate(lines, 1) if line.strip()]
    objects = [one for one in found if one and min(one.box[2] - one.box[0], one.box[3] - one.box[1]) >= 1]
    flat += [where] * (sum(one is not None for one in found) - len(objects))
    return Picture(number, file, tuple(objects), size, where)


def _object(line: str, where: str, size: tuple[int, int], listing: Pictures) -> Object | None:
    columns = line.split()
    try:
        label, (x, y, width, height) = int(columns[0]), map(float, columns[1:])
    except ValueError:
        mend = "write the class's number, then the centre, width and height of its box; polygons are not read"
        listing.add(where, f"'{line[:40]}' is not five numbers", mend)
        return None
    if not 0 <= label < len(listing.classes):
        listing.add(where, f"there is no class {label}", f"count from 0 to {len(listing.classes) - 1}, or add it to data.classes")
        return None
    # comparisons with what is not a number say no
    if not (all(0 <= share <= 1.5 for share in (x, y, width, height)) and width and height and x - width / 2 < 1 and y - height / 2 < 1):
        listing.add(where, f"'{line[:40]}' is no box inside the image", "write shares of the image's width and height, from 0 to 1")
        return None
    box = (
        max(0.0, (x - width / 2) * size[0]),
        max(0.0, (y - height / 2) * size[1]),
        min(float(size[0]), (x + width / 2) * size[0]),
        min(float(size[1]), (y + height / 2) * size[1]),
    )
    return Object(label, box, box_area(box))


FORMAT = Format(YoloData, read)
