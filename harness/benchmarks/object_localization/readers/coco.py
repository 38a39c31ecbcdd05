"""COCO instances, for CorLoc (COCO20k is a list of files of train2014); corners are rounded as in valeoai/LOST.

```
{"images": [{"id": 9, "file_name": "COCO_train2014_000000000009.jpg", "width": 640, "height": 480}],
 "annotations": [{"id": 1, "image_id": 9, "category_id": 51, "bbox": [1.08, 187.69, 611.59, 285.84], "iscrowd": 0}],
 "categories": [{"id": 51, "name": "bowl"}]}
```

``file_name`` is a path inside the folder of the images, and ``bbox`` is x, y, width, height in pixels. Labels count the categories
of the training file by id; those of the test file are found by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.coco import load, start_elsewhere
from harness.benchmarks.listed import Index, lines_in, parted
from harness.benchmarks.lvis import named, tell_searched
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.coco_json import Categories, images_of
from harness.benchmarks.object_localization.readers.coco_objects import Object, objects_in
from harness.benchmarks.object_localization.readers.picture import Picture, Pictures, several
from harness.benchmarks.options import Options
from harness.benchmarks.spelled import Spelled


class CocoSplit(Options):
    """One split of a COCO dataset."""

    annotations: str
    """JSON file of instances."""
    images: str
    """Folder of the images."""
    subset: str | None = None
    """File that lists the image files to use, by name or path, one a line (COCO20k)."""


class CocoData(LocalizationData):
    """COCO instances; crowds are left out, and objects marked ``"ignore": 1``."""

    format: Literal["coco"]
    root: str
    classes: int = Field(default=80, ge=1)
    """Number of categories in the JSON file for training."""
    train: CocoSplit
    test: CocoSplit
    val: CocoSplit | None = None
    """For validation; without it, ``val_share`` of the training images."""

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def multi_label(self) -> bool:
        return self.classes > 1


def read(root: Path, data: CocoData) -> Pictures:
    """List all splits; crowds are left out, and with them images that show nothing else."""
    listing = Pictures(root=root, exif=data.exif == "apply", single=data.class_count == 1)
    content = load(data.train.annotations, listing)
    known = Categories(content["categories"] if content else [], data.train.annotations, listing)
    count = len(known.names)
    if twice := [name for name, times in Counter(known.names).items() if times > 1]:
        what = f"{several(len(twice), 'name')} of categories stand there twice, e.g. '{twice[0]}': each is a class of its own"
        listing.add(data.train.annotations, what, "call one otherwise, or give both the same id", fatal=False)
    if content and count != data.classes:
        mend = f"write data.classes: {count}" if count else "give each class an entry with id and name"
        listing.add(data.train.annotations, f"there are {count} categories, data.classes says {data.classes}", mend)
    if content:
        listing.train = _split(data.train, content, known, known, listing)
    files = {data.train.annotations: (content, known)}
    for name, split in (("test", data.test), ("val", data.val)):
        if split is None:
            continue
        if split == data.train:
            setattr(listing, name, listing.train)
            continue
        if split.annotations not in files:
            content = load(split.annotations, listing)
            files[split.annotations] = content, Categories(content["categories"] if content else [], split.annotations, listing)
        content, mine = files[split.annotations]
        if content:
            setattr(listing, name, _split(split, content, mine, known, listing))
    return listing.finish()


def _split(split: CocoSplit, content: dict[str, Any], mine: Categories, known: Categories, listing: Pictures) -> list[Picture]:
    """The pictures of a split, whose categories are called as those ``known`` from training."""
    where = split.annotations
    entries = named(content["images"], listing.root / split.images)
    images = images_of(entries, where, listing.root / split.images, listing)
    tell_searched(entries, where, listing)
    if start_elsewhere([image.file for image in images.values()], split.images, where, listing):
        return []
    found = objects_in(content["annotations"], images, mine, known, where, listing)
    objects: dict[str, list[Object]] = {image.file: [] for image in images.values()}
    for number, image in images.items():
        objects[image.file] += found.get(number, [])
    crowds = {images[number].file for number, shown in found.items() if not shown and not objects[images[number].file]}
    sizes = {image.file: image.size for image in images.values()}
    chosen = [*_chosen(split, [*objects], listing)]
    if left := [file for file in chosen if file in crowds]:
        what = f"{several(len(left), 'image')} with nothing but crowds or ignored objects left out, e.g. '{left[0]}'"
        listing.add(where, what, "to use them, annotate their objects one by one", fatal=False)
    pictures, folder = [], listing.root / split.images
    there = Spelled(folder)
    for file in chosen:
        if file not in crowds:
            shown = tuple(sorted({label for label, _ in objects[file]}))
            boxes = tuple(box for _, box in objects[file] if box)
            found_as = at.relative_to(folder).as_posix() if (at := there.file(file)) else file
            pictures.append(Picture(f"{split.images}/{found_as}", shown, boxes, sizes[file], where))
    return pictures


def _chosen(split: CocoSplit, files: list[str], listing: Pictures) -> Iterable[str]:
    """The images of the split, in the order of the subset's file where there is one."""
    if split.subset is None:
        return files
    listing.sources.append(listing.root / split.subset)
    index, chosen = Index(files), Counter[str]()
    for line in lines_in(listing.root, split.subset, listing):
        found = index.find(line)
        if len(found) == 1:
            chosen[found[0]] += 1
        elif found:
            listing.add(split.subset, f"'{line}' may mean {' or '.join(found[:3])}", "write the path inside the image folder")
        else:
            listing.add(split.subset, f"'{line}' is not among the images of {split.annotations}", parted(line, "correct the list"))
    if twice := [file for file, count in chosen.items() if count > 1]:
        what = f"{several(len(twice), 'image')} listed more than once, e.g. '{twice[0]}'; each counts once"
        listing.add(split.subset, what, "delete the other lines", fatal=False)
    return chosen


FORMAT = Format(CocoData, read)
