"""The annotations of a COCO JSON file, as labels and boxes of its images."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from harness.benchmarks.coco import Crowds, is_set
from harness.benchmarks.coco_units import tell_centres, tell_corners
from harness.benchmarks.object_localization.readers.coco_json import Categories, Ids, Image
from harness.benchmarks.object_localization.readers.picture import Box, Pictures, several

Object = tuple[int, Box | None]
"""Label and box, where there is one."""


def objects_in(
    items: list[Any], images: dict[Any, Image], mine: Categories, known: Categories, where: str, listing: Pictures
) -> dict[Any, list[Object]]:
    """The objects of each image that has crowds or any of a known category; what cannot be used is counted, and told once a kind.

    Objects with ``"ignore": 1``, as some tools mark what is hard to see, are left out as crowds are.
    """
    found: dict[Any, list[Object]] = {}
    labels = known.labels_of(mine)
    unused: dict[str, list[Any]] = defaultdict(list)
    strangers: Counter[str] = Counter()
    crowds = Crowds(where, listing)
    ids, given, sized = Ids(images), [], []
    for item in items:
        if not isinstance(item, dict) or not {"image_id", "category_id"} <= item.keys():
            unused["malformed"].append(str(item)[:60])
            continue
        number, image, category = item.get("id", "?"), ids.find(item["image_id"]), mine.find(item["category_id"])
        if image is None:
            unused["orphan"].append(item["image_id"])
            continue
        if is_set(item.get("iscrowd")) or is_set(item.get("ignore")):
            crowds.add(item)
            if is_set(item.get("ignore")):
                listing.left_out["objects marked 'ignore'"] += 1
            found.setdefault(image, [])
            continue
        if category not in labels:
            strangers[str(item["category_id"]) if category is None else f"'{mine.name(category)}'"] += 1
            continue
        crowds.add(item)
        box = None
        if not item.get("bbox"):
            unused["boxless"].append(number)
        elif corners := _corners(item["bbox"], where, number, listing):
            given.append((corners, item.get("area")))
            sized.append((corners, images[image].size))
            if 0 in corners[2:]:
                unused["flat"].append(number)
            else:
                box = _box(*corners, f"{where} (annotation {number})", listing)
        found.setdefault(image, []).append((labels[category], box))
    _tell(unused, bool(found), where, listing)
    known.tell_strangers(strangers, where, listing)
    tell_corners(given, where, listing)
    tell_centres(sized, where, listing)
    crowds.tell()
    return found


def _tell(unused: dict[str, list[Any]], any_object: bool, where: str, listing: Pictures) -> None:
    texts = {
        "malformed": ("annotation", "without image_id or category_id, e.g. {}", "complete or delete them"),
        "orphan": ("annotation", "of no image left out, e.g. of image_id {!r}", "correct image_id, or delete them"),
        "boxless": ("object", "without bbox, e.g. annotation {}; only the class is used", "give each x, y, width, height"),
        "flat": ("box", "without area left out, e.g. that of annotation {}; only the class is used", "correct or delete them"),
    }
    for kind, examples in unused.items():
        one, what, mend = texts[kind]
        fatal = kind == "malformed" or (kind == "orphan" and not any_object)
        text = f"{several(len(examples), one, 'boxes' if one == 'box' else '')} {what.format(examples[0])}"
        listing.add(where, text, mend, fatal=fatal)


def _corners(bbox: Any, where: str, number: Any, listing: Pictures) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = map(float, bbox)
    except (TypeError, ValueError):
        what = f"the bbox is not x, y, width, height: {bbox!r:.60}"
        listing.add(f"{where} (annotation {number})", what, "correct or delete the annotation")
        return None
    return x, y, width, height


def _box(x: float, y: float, width: float, height: float, where: str, listing: Pictures) -> Box | None:
    box = listing.box(where, [x, y, x + width, y + height])
    if box is None:
        return None
    # to whole pixels, as the reference of CorLoc does (extract_gt_COCO of valeoai/LOST); one thinner than half a pixel may lose its area
    x0, y0, x1, y1 = (float(round(corner)) for corner in box)
    return x0, y0, x1, y1
