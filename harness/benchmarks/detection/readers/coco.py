"""COCO instances: boxes, masks and crowds.

```
{"images": [{"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480}],
 "annotations": [{"id": 1, "image_id": 9, "category_id": 51, "bbox": [1.08, 187.69, 611.59, 285.84], "area": 120057.1,
                  "iscrowd": 0, "segmentation": [[500.49, 473.53, ...]]}],
 "categories": [{"id": 51, "name": "bowl"}]}
```

``bbox`` is x, y, width, height in pixels. Labels count the categories of the training file by id;
those of the other files are found by name. An object with ``"ignore": 1`` is what VOC calls difficult: it is not trained on, and
boxes on it are neither hits nor mistakes. Images of LVIS, which have no ``file_name``, are found by the end of their ``coco_url``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.benchmarks.base import Format, Split
from harness.benchmarks.coco import Crowds, is_set, load, number, start_elsewhere
from harness.benchmarks.coco_units import Outlines, four, is_far, outlined, tell_areas, tell_centres, tell_corners, tell_zeros
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Box, Object, Picture, Pictures
from harness.benchmarks.lvis import named, tell_searched
from harness.benchmarks.object_localization.readers.coco_json import Categories, Ids, images_of, plain
from harness.benchmarks.options import Options
from harness.benchmarks.spelled import Spelled


class CocoSplit(Options):
    """One split of a COCO dataset."""

    annotations: str
    """JSON file of instances."""
    images: str
    """Folder of the images."""


class CocoData(DetectionData):
    """COCO instances."""

    format: Literal["coco"]
    root: str
    classes: int = Field(default=80, ge=1)
    """Number of categories in the JSON file for training."""
    masks: bool = False
    """Whether masks are read, which Mask R-CNN is trained on, and which are scored."""
    train: CocoSplit
    test: CocoSplit
    val: CocoSplit | None = None
    """For validation; without it, ``val_share`` of the training images."""

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def has_masks(self) -> bool:
        return self.masks


def read(root: Path, data: CocoData) -> Pictures:
    """List all splits."""
    listing = Pictures(root=root, exif=data.exif == "apply")
    known: Categories | None = None
    splits: tuple[tuple[Split, CocoSplit | None], ...] = (("train", data.train), ("test", data.test), ("val", data.val))
    for name, split in splits:
        content = load(split.annotations, listing) if split else None
        if split is None or content is None:
            continue
        mine = Categories(content["categories"], split.annotations, listing)
        if known is None:
            known = mine
            if len(mine.names) != data.classes:
                mend = f"write data.classes: {len(mine.names)}" if mine.names else "give each class an entry with id and name"
                listing.add(split.annotations, f"there are {len(mine.names)} categories, data.classes says {data.classes}", mend)
        labels = known.labels_of(mine)
        listing.ids[name] = {label: number for key, label in labels.items() if isinstance(number := plain(key), int)}
        setattr(listing, name, _split(split, content, mine, known, data, listing))
    listing.classes = known.names if known else []
    return listing.finish()


def _split(
    split: CocoSplit, content: dict[str, Any], mine: Categories, known: Categories, data: CocoData, listing: Pictures
) -> list[Picture]:
    """The pictures of a split, whose categories are called as those ``known`` from training."""
    where, labels = split.annotations, known.labels_of(mine)
    entries = named(content["images"], listing.root / split.images)
    images = images_of(entries, where, listing.root / split.images, listing)
    tell_searched(entries, where, listing)
    if start_elsewhere([image.file for image in images.values()], split.images, where, listing):
        return []
    ids, found, odd = Ids(images), defaultdict[Any, list[Object]](list), defaultdict[str, list[Any]](list)
    strangers: Counter[str] = Counter()
    believed = not tell_zeros(content["annotations"], where, listing)
    outlines, crowds, given = Outlines(where, listing), Crowds(where, listing), list[tuple[Box, Any]]()
    sized: list[tuple[Box, tuple[int, int] | None]] = []
    for item in content["annotations"]:
        if not isinstance(item, dict) or not {"image_id", "category_id"} <= item.keys():
            odd["malformed"].append(str(item)[:60])
            continue
        image, category = ids.find(item["image_id"]), mine.find(item["category_id"])
        if image is None:
            odd["orphan"].append(item["image_id"])
        elif category not in labels:
            strangers[str(item["category_id"]) if category is None else f"'{mine.name(category)}'"] += 1
        elif (box := four(item.get("bbox"))) is None:
            odd["boxless"].append(item.get("id", "?"))
        else:
            crowds.add(item)
            if data.masks:
                outlines.add(item)
            if not is_set(item.get("iscrowd")):
                given.append((box, item.get("area")))
                sized.append((box, images[image].size))
            if one := _object(item, box, labels[category], images[image].size, data, odd, believed=believed):
                found[image].append(one)
                if one.difficult:
                    listing.left_out["objects marked 'ignore', which count for nothing"] += 1
    tell_corners(given, where, listing)
    tell_centres(sized, where, listing)
    if tell_areas(given, where, listing):
        found = defaultdict(list, {image: [*map(_resized, objects)] for image, objects in found.items()})
    outlines.tell()
    crowds.tell()
    for kind, (what, mend, fatal) in _ODD.items():
        if examples := odd[kind]:
            listing.add(where, f"{len(examples)} {what.format(examples[0])}", mend, fatal=fatal)
    known.tell_strangers(strangers, where, listing)
    there = Spelled(listing.root / split.images)
    numbers = {key: plain(key) for key in images}
    first: dict[str, Any] = {}
    for key, image in images.items():
        same = found[first.setdefault(image.file, key)]
        if same is not found[key]:  # an image with two ids, and what was copied with it
            same += [one for one in found[key] if one not in same]
    return [
        Picture(
            numbers[key] if isinstance(numbers[key], int) else place,
            there.file(name) or listing.root / split.images / name,
            tuple(found[key]),
            images[key].size,
            where,
        )
        for place, (name, key) in enumerate(first.items())
    ]


_ODD = {
    "malformed": ("annotations without image_id or category_id, e.g. {}", "complete or delete them", True),
    "orphan": ("annotations of no image left out, e.g. of image_id {!r}", "correct image_id, or delete them", False),
    "boxless": ("annotations without a bbox of four finite numbers, e.g. annotation {}", "write x, y, width, height", True),
    "flat": (
        "boxes beside their image or thinner than a pixel left out, e.g. that of annotation {}",
        "correct or delete them",
        False,
    ),
    "arealess": (
        "objects of area 0 left out, as mmdet does, e.g. annotation {}",
        "where the box is right write its area, or none",
        False,
    ),
    "maskless": (
        "objects without a mask left out, e.g. annotation {}",
        "give each a segmentation, polygons or run lengths of the image's size, or write data.masks: false",
        False,
    ),
}
"""Kind -> what is said of such annotations after their number, the mend, and whether no trial can run."""


def _object(
    item: dict[str, Any],
    said: Box,
    label: int,
    size: tuple[int, int] | None,
    data: CocoData,
    odd: dict[str, list[Any]],
    *,
    believed: bool,
) -> Object | None:
    """The object of an annotation; ``None``, and an example of what is ``odd``, where it is none.

    Args:
        believed: whether an area of 0 says that there is no object.
    """
    x, y, width, height = said
    box = (x, y, x + width, y + height)
    area, most = number(item.get("area")), size or (float("inf"), float("inf"))
    if area is None or (area <= 0 and not believed):
        area = width * height
    inside = x < most[0] and y < most[1] and box[2] > 0 and box[3] > 0
    # mmdet leaves out the same
    if not (width >= 1 and height >= 1 and inside):
        odd["flat"].append(item.get("id", "?"))
        return None
    if area <= 0:
        odd["arealess"].append(item.get("id", "?"))
        return None
    crowd, mask = is_set(item.get("iscrowd")), _mask(item.get("segmentation"), size) if data.masks else None
    if data.masks and not mask:
        odd["maskless"].append(item.get("id", "?"))
        return None
    return Object(label, box, area, crowd, mask, difficult=is_set(item.get("ignore")) and not crowd)


def _resized(one: Object) -> Object:
    """An object with the area of its mask or box where the file's is of neither."""
    width, height = one.box[2] - one.box[0], one.box[3] - one.box[1]
    if not is_far(one.area, width, height):
        return one
    return replace(one, area=(outlined(one.mask) if one.mask else 0) or width * height)


def _mask(said: Any, size: tuple[int, int] | None) -> Any:
    """What of a segmentation is one: its polygons of three corners or more, or run lengths of all pixels; ``None`` for nothing.

    Args:
        size: (width, height) of the image, where it is known.
    """
    if isinstance(said, list):
        return [part for part in said if isinstance(part, list) and len(part) >= 6 and len(part) % 2 == 0 and all(map(_finite, part))]
    from faster_coco_eval.core import mask

    try:
        height, width = said["size"]
        packed = mask.frPyObjects(said, height, width) if isinstance(said["counts"], list) else said
        # run lengths that end too early would never end the evaluation
        return said if size in (None, (width, height)) and mask.decode(packed).any() else None
    except (KeyError, TypeError, ValueError, RuntimeError):
        return None


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and isfinite(value)


FORMAT = Format(CocoData, read)
