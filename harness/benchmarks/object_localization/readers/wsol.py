"""Metadata of clovaai/wsolevaluation: four text files per split.

``image_ids.txt``, ``class_labels.txt``, ``image_sizes.txt`` (width, height) and ``localization.txt`` (x0, y0, x1, y1) have lines like

```
val2/1/0.jpeg
val2/1/0.jpeg,0
val2/1/0.jpeg,500,333
val2/1/0.jpeg,111,51,420,290
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Box, Picture, Pictures
from harness.benchmarks.object_localization.readers.table import label, once, rows


class WsolData(LocalizationData):
    """Metadata files of clovaai/wsolevaluation (CUB, ILSVRC): four text files per split."""

    format: Literal["wsol"]
    root: str
    classes: int = Field(ge=2)
    """Number of classes; labels run from 0."""
    images: str = "."
    """Folder the image ids are relative to."""
    metadata: str = "metadata"
    train: str = "train"
    test: str = "test"
    val: str | None = None
    """Split for validation; without it, ``val_share`` of the training images that have boxes."""
    calibration: str | None = None
    """Split that chooses CorLoc's threshold (``val`` in the published protocol); the training split by default."""

    @property
    def class_count(self) -> int:
        return self.classes


def read(root: Path, data: WsolData) -> Pictures:
    """List all splits; a box is x0, y0, x1, y1 as it stands there."""
    listing = Pictures(root=root, exif=data.exif == "apply")
    listing.train = _split(data, data.train, listing, need_boxes=False)
    listing.test = _split(data, data.test, listing, need_boxes=True)
    if data.val:
        listing.val = _split(data, data.val, listing, need_boxes=True)
    if data.calibration:
        listing.calibration = listing.val if data.calibration == data.val else _split(data, data.calibration, listing, need_boxes=True)
    return listing.finish()


def _split(data: WsolData, split: str, listing: Pictures, *, need_boxes: bool) -> list[Picture]:
    folder = f"{data.metadata}/{split}"
    if not (listing.root / folder).is_dir():
        listing.add(folder, "the folder is missing", "put the metadata of clovaai/wsolevaluation there, or correct data.metadata")
        return []
    labels = {}
    for name, text in once(rows(f"{folder}/class_labels.txt", ",", 2, listing), f"{folder}/class_labels.txt", listing):
        labels[name] = label(text, data.classes, 0, f"{folder}/class_labels.txt", listing)
    sizes = {}
    for name, *size in once(rows(f"{folder}/image_sizes.txt", ",", 3, listing), f"{folder}/image_sizes.txt", listing):
        sizes[name] = (int(size[0]), int(size[1])) if all(s.isdecimal() and len(s) < 10 and int(s) > 0 for s in size) else None
        if sizes[name] is None:
            listing.add(f"{folder}/image_sizes.txt", f"the size of '{name}' is not width,height: {','.join(size)}", "correct it")
    boxes: dict[str, list[Box]] = {}
    where = f"{folder}/localization.txt"
    # training images need no boxes, and ILSVRC has none for most of them
    for name, *corners in rows(where, ",", 5, listing) if need_boxes or (listing.root / where).is_file() else ():
        box = listing.box(where, corners)
        if box:
            boxes.setdefault(name, []).append(box)
    pictures, listed = [], set()
    for (name,) in rows(f"{folder}/image_ids.txt", ",", 1, listing):
        if name in listed:
            listing.add(f"{folder}/image_ids.txt", f"'{name}' is listed twice", "delete one of the lines")
            continue
        listed.add(name)
        number = labels.get(name)
        if number is None:
            if name not in labels:
                listing.add(f"{folder}/image_ids.txt", f"'{name}' has no class", f"add it to {folder}/class_labels.txt")
            continue
        if need_boxes and name not in boxes:
            listing.add(where, f"'{name}' has no box; it is not scored", "add its box, or take it out of image_ids.txt", fatal=False)
        file = f"{data.images}/{name}".removeprefix("./")
        pictures.append(Picture(file, (number,), tuple(boxes.get(name, ())), sizes.get(name), where))
    return pictures


FORMAT = Format(WsolData, read)
