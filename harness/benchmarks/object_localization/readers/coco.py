"""COCO instances, for CorLoc (COCO20k is a list of files of train2014); corners are rounded as in valeoai/LOST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.picture import Box, Picture, Pictures
from harness.benchmarks.options import Options


class CocoSplit(Options):
    """One split of a COCO dataset."""

    annotations: str
    """JSON file of instances."""
    images: str
    """Folder of the images."""
    subset: str | None = None
    """File that lists the image files to use, by name or path, one a line (COCO20k)."""


class CocoData(LocalizationData):
    """COCO instances; crowds are left out."""

    format: Literal["coco"]
    root: str
    classes: int = Field(default=80, ge=1)
    """Number of categories in the JSON file."""
    train: CocoSplit
    test: CocoSplit

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def multi_label(self) -> bool:
        return self.classes > 1


def read(root: Path, data: CocoData) -> Pictures:
    """List both splits; crowds are left out, and with them images that show nothing else."""
    listing = Pictures(root=root, single=data.class_count == 1)
    listing.train = _split(data.train, data.classes, listing)
    listing.test = listing.train if data.test == data.train else _split(data.test, data.classes, listing)
    return listing.finish()


def _split(split: CocoSplit, classes: int, listing: Pictures) -> list[Picture]:
    content = _load(split.annotations, listing)
    if content is None:
        return []
    labels = _labels(content["categories"], classes, split.annotations, listing)
    found: dict[int, list[tuple[int, Box]]] = {}
    for item in content["annotations"]:
        if not isinstance(item, dict) or not {"image_id", "category_id", "bbox"} <= item.keys():
            listing.add(split.annotations, f"an annotation lacks image_id, category_id or bbox: {str(item)[:60]}", "complete or delete it")
            continue
        if item.get("iscrowd"):
            continue
        where = f"{split.annotations} (annotation {item.get('id', '?')})"
        if item["category_id"] not in labels:
            listing.add(where, f"unknown category {item['category_id']}", "add it to the categories, or delete the annotation")
            continue
        box = _box(item["bbox"], where, listing)
        if box:
            found.setdefault(item["image_id"], []).append((labels[item["category_id"]], box))
    pictures = []
    for image in _chosen(split, content["images"], listing):
        objects = found.get(image["id"], [])
        size = (image["width"], image["height"]) if image.get("width") and image.get("height") else None
        shown = tuple(sorted({label for label, _ in objects}))
        pictures.append(Picture(f"{split.images}/{image['file_name']}", shown, tuple(box for _, box in objects), size, split.annotations))
    return pictures


def _load(name: str, listing: Pictures) -> dict[str, Any] | None:
    text = listing.text(name, "put the official file there, or correct the split's annotations")
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        listing.add(name, f"the file is not JSON ({error})", "restore the official file")
        return None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            listing.add(name, f"there is no list '{key}'", "give a COCO instances file")
            return None
    return content


def _labels(categories: list[Any], classes: int, where: str, listing: Pictures) -> dict[int, int]:
    """Category id -> label, by ascending id."""
    ids = sorted({c["id"] for c in categories if isinstance(c, dict) and isinstance(c.get("id"), int)})
    if len(ids) != classes:
        listing.add(where, f"there are {len(ids)} categories, data.classes says {classes}", f"write data.classes: {len(ids)}")
    return {number: label for label, number in enumerate(ids[:classes])}


def _box(corners: Any, where: str, listing: Pictures) -> Box | None:
    try:
        x, y, width, height = map(float, corners)
    except (TypeError, ValueError):
        listing.add(where, f"the bbox is not x, y, width, height: {str(corners)[:60]}", "correct or delete the annotation")
        return None
    box = listing.box(where, [x, y, x + width, y + height])
    if box is None:
        return None
    # to whole pixels, as the reference of CorLoc does (extract_gt_COCO of valeoai/LOST); one thinner than half a pixel may lose its area
    x0, y0, x1, y1 = (float(round(corner)) for corner in box)
    return x0, y0, x1, y1


def _chosen(split: CocoSplit, images: list[Any], listing: Pictures) -> list[dict[str, Any]]:
    """The images of the split, in the order of the subset's file where there is one."""
    known = {}
    for image in images:
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str) or "id" not in image:
            listing.add(split.annotations, f"an image lacks id or file_name: {str(image)[:60]}", "restore the official file")
        elif image["file_name"].startswith("/") or ".." in image["file_name"].split("/"):
            listing.add(split.annotations, f"'{image['file_name']}' points outside the dataset", "write a path inside the image folder")
        else:
            known[image["file_name"].rsplit("/", 1)[-1]] = image
    if split.subset is None:
        return list(known.values())
    text = listing.text(split.subset, "put it there, or correct the split's subset") or ""
    names = [line.strip().rsplit("/", 1)[-1] for line in text.split("\n") if line.strip()]
    for name in names:
        if name not in known:
            listing.add(split.subset, f"'{name}' is not among the images of {split.annotations}", "correct the list")
    return [known[name] for name in names if name in known]


FORMAT = Format(CocoData, read)
