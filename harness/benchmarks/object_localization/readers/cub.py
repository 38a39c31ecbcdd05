"""CUB-200-2011: ``images.txt``, ``image_class_labels.txt``, ``train_test_split.txt``, ``bounding_boxes.txt`` (x y width height).

Each line begins with the image's number:

```
1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg
1 1
1 0
1 60.0 27.0 325.0 304.0
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Picture, Pictures
from harness.benchmarks.object_localization.readers.table import label, once, rows

_COLUMNS = {"images.txt": 2, "image_class_labels.txt": 2, "train_test_split.txt": 2, "bounding_boxes.txt": 5}


class CubData(LocalizationData):
    """CUB-200-2011 as distributed by Caltech."""

    format: Literal["cub"]
    root: str

    @property
    def class_count(self) -> int:
        return 200


def read(root: Path, data: CubData) -> Pictures:
    """List both splits."""
    listing = Pictures(root=root, exif=data.exif == "apply")
    tables = {name: {row[0]: row[1:] for row in once(rows(name, None, count, listing), name, listing)} for name, count in _COLUMNS.items()}
    if any(not table for table in tables.values()):
        return listing
    files, classes, splits, boxes = tables.values()
    for number, (name,) in files.items():
        missing = next((table for table, found in tables.items() if number not in found), None)
        if missing:
            listing.add(missing, f"image {number} ({name}) is not in it", "restore the official file")
            continue
        shown = label(classes[number][0], data.class_count, 1, "image_class_labels.txt", listing)
        try:
            x, y, width, height = map(float, boxes[number])
        except ValueError:
            listing.add("bounding_boxes.txt", f"the box of image {number} is not four numbers", "restore the official file")
            continue
        box = listing.box("bounding_boxes.txt", [x, y, x + width, y + height])
        if splits[number][0] not in ("0", "1"):
            what = f"image {number} is in neither split: '{splits[number][0]}'"
            listing.add("train_test_split.txt", what, "write 1 (training) or 0 (test)")
        elif box and shown is not None:
            pictures = listing.train if splits[number][0] == "1" else listing.test
            pictures.append(Picture(f"images/{name}", (shown,), (box,), None, "bounding_boxes.txt"))
    return listing.finish()


FORMAT = Format(CubData, read)
