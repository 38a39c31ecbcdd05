"""Whether the numbers of a COCO file are what COCO's are: boxes as x, y, width, height, and outlines, both in pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.benchmarks.base import Listing
from harness.benchmarks.coco import number

Box = tuple[float, float, float, float]

_AGREES = 0.01
"""Relative difference up to which a box has the area that its annotation says."""
_PIXEL = 2.0
"""Sides and areas above which an object is larger than a pixel, however it was rounded."""
_MANY = 0.1
"""Of a file's outlines, from which on what is odd about them is taken to be so of all."""
_SHARE, _FAR = 100, 100
"""An area is a share or percentage, or stands for none, if it is at most the former and this often in its box."""
_ENOUGH = 10
"""Boxes at the right or lower border from which on it is no chance that none is at the left or upper one."""
_REACH = 0.05
"""Part of its side by which a box leaves its image that is no rounding."""
_FIT = 1 / 3
"""IoU below which an outline and its box are not of one object."""

_IN_PIXELS = "write areas in square pixels of the image, or none"


def four(said: Any) -> Box | None:
    """x, y, width and height of a ``bbox``; ``None`` where it is not four finite numbers."""
    values = [number(value) for value in said] if isinstance(said, list) else []
    known = [value for value in values if value is not None]
    if len(known) != 4 or len(values) != 4:
        return None
    return known[0], known[1], known[2], known[3]


def tell_corners(boxes: Iterable[tuple[Box, Any]], where: str, listing: Listing[Any]) -> None:
    """Refuse a file of boxes as corners: most of its areas are those of (c - a)(d - b) rather than c d.

    Args:
        boxes: the four numbers of each bbox, and its ``area`` as the file has it.
    """
    told = [(*corners, area) for corners, raw in boxes if (area := number(raw)) is not None and area > 0]
    alike = [
        abs((c - a) * (d - b) - area) <= _AGREES * area and abs(c * d - area) > _AGREES * area and c > a and d > b
        for a, b, c, d, area in told
    ]
    if sum(alike) > len(told) / 2:
        listing.add(where, "every bbox looks like x0, y0, x1, y1: `area` is that of such boxes", "write x, y, width, height")


def tell_centres(boxes: Iterable[tuple[Box, tuple[int, int] | None]], where: str, listing: Listing[Any]) -> None:
    """Refuse a file of boxes whose x and y are their centres.

    Some reach out of their images, to the right and below, all lie in theirs if it is so, and those at these borders are too many
    for none to be at the others.

    Args:
        boxes: the four numbers of each bbox, and (width, height) of its image, where it is known.
    """
    told = [(box, size) for box, size in boxes if size]
    inside = all(x >= w / 2 - 1 and y >= h / 2 - 1 and x + w / 2 <= size[0] + 1 and y + h / 2 <= size[1] + 1 for (x, y, w, h), size in told)
    out = [[at + side > most + max(1, _REACH * side) for at, side, most in _sides(box, size)] for box, size in told]
    near = sum(any(at + side * 1.5 > most for at, side, most in _sides(box, size)) for box, size in told)
    if inside and near >= _ENOUGH and all(any(axis) for axis in zip(*out, strict=True)):
        what = f"{sum(map(any, out))} of {len(told)} boxes reach out of their image; all lie in theirs if x, y is the centre"
        listing.add(where, what, "write x, y of the upper left corner, then width and height")


def _sides(box: Box, size: tuple[int, int]) -> tuple[tuple[float, float, int], tuple[float, float, int]]:
    """Where it begins, how long it is and where its image ends, across and down."""
    x, y, width, height = box
    return (x, width, size[0]), (y, height, size[1])


def is_far(area: float, width: float, height: float) -> bool:
    """Whether an area is none of an object in its box: larger, or a speck as shares of an image and placeholders are."""
    return _is_larger(area, width, height) or _is_speck(area, width, height)


def _is_larger(area: float, width: float, height: float) -> bool:
    return area > (width + _PIXEL) * (height + _PIXEL) * (1 + _AGREES)


def _is_speck(area: float, width: float, height: float) -> bool:
    return area <= _SHARE and area * _FAR <= width * height


def tell_areas(boxes: Iterable[tuple[Box, Any]], where: str, listing: Listing[Any]) -> bool:
    """Note a file whose areas are not those of its boxes, for another unit or size of the image, and whether it is one.

    A few may be what they are: the mask of a wire is a speck in its box.

    Args:
        boxes: the four numbers of each bbox, and its ``area`` as the file has it.
    """
    told = [(area, w, h) for (_, _, w, h), raw in boxes if w >= 1 and h >= 1 and (area := number(raw)) is not None and area > 0]
    larger, specks = ([one for one in told if odd(*one)] for odd in (_is_larger, _is_speck))
    if len(larger) <= _MANY * len(told) and len(specks) <= sum(w * h >= _FAR for _, w, h in told) / 2:
        return False
    odd = [one for one in told if is_far(*one)]
    area, width, height = odd[0]
    what = f"{len(odd)} of {len(told)} areas are far from those of their boxes, e.g. {area:g} of {width:g} x {height:g}"
    listing.add(where, f"{what}; sizes of these are taken from their boxes or masks", _IN_PIXELS, fatal=False)
    return True


def tell_zeros(items: list[Any], where: str, listing: Listing[Any]) -> bool:
    """Note a file in which many objects with a box have no area, as some converters write for want of one, and whether it is one."""
    odd = [item for item in items if isinstance(item, dict) and (area := number(item.get("area"))) is not None and area <= 0]
    if not odd:
        return False
    told, zero = ([item for item in some if isinstance(item, dict) and _is_box(item.get("bbox"))] for some in (items, odd))
    if len(zero) <= _MANY * len(told):
        return False
    what = f"{len(zero)} of {len(told)} objects with a box are said to have no area, e.g. annotation {zero[0].get('id', '?')}"
    listing.add(where, f"{what}; sizes of these are taken from their boxes", _IN_PIXELS, fatal=False)
    return True


def _is_box(said: Any) -> bool:
    box = four(said)
    return box is not None and min(box[2:]) >= 1


def outlined(segmentation: Any) -> float:
    """Pixels of polygons or run lengths that can be read."""
    if isinstance(segmentation, list):
        return sum(_polygon(part[0::2], part[1::2]) for part in segmentation)
    from faster_coco_eval.core import mask

    packed = mask.frPyObjects(segmentation, *segmentation["size"]) if isinstance(segmentation["counts"], list) else segmentation
    return float(mask.area(packed))


def _polygon(xs: list[float], ys: list[float]) -> float:
    return abs(sum(xs[place - 1] * ys[place] - xs[place] * ys[place - 1] for place in range(len(xs)))) / 2


class Outlines:
    """Counts what speaks against the polygons of one file."""

    def __init__(self, where: str, listing: Listing[Any]):
        self._where, self._listing = where, listing
        self._count = 0
        self._tiny: list[Any] = []
        self._fractions: list[Any] = []
        self._beside: list[Any] = []

    def add(self, item: dict[str, Any]) -> None:
        """Count an annotation; one without polygons is passed over."""
        hull = _hull(item.get("segmentation"))
        if hull is None:
            return
        self._count += 1
        name, box, area = item.get("id", "?"), four(item.get("bbox")), number(item.get("area"))
        if hull[0] >= 0 and hull[1] >= 0 and hull[2] <= 1 and hull[3] <= 1:
            self._tiny.append(name)
            if (box and max(box[2:]) > _PIXEL) or (area or 0) > _PIXEL:
                self._fractions.append(name)
        elif box and _overlap(hull, (box[0], box[1], box[0] + box[2], box[1] + box[3])) < _FIT:
            self._beside.append(name)

    def tell(self) -> None:
        """Note what was counted."""
        if self._fractions or len(self._tiny) > _MANY * self._count:
            first = (self._fractions or self._tiny)[0]
            what = f"outlines of {len(self._tiny)} of {self._count} objects lie in the first pixel, as if they were fractions"
            mend = "multiply x by the image's width and y by its height"
            self._listing.add(self._where, f"{what}, e.g. that of annotation {first}", mend)
        if len(self._beside) > _MANY * self._count:
            what = f"outlines of {len(self._beside)} of {self._count} objects are elsewhere than their bbox, or of another size"
            mend = "see that both are in pixels of the image, and the bbox x, y, width, height"
            self._listing.add(self._where, f"{what}, e.g. that of annotation {self._beside[0]}", mend, fatal=False)


def _hull(said: Any) -> Box | None:
    """x0 y0 x1 y1 around the polygons of a segmentation; ``None`` where there are none."""
    parts = [part for part in said if isinstance(part, list) and len(part) >= 6 and len(part) % 2 == 0] if isinstance(said, list) else []
    try:
        xs, ys = ([float(value) for part in parts for value in part[first::2]] for first in (0, 1))
    except (TypeError, ValueError):
        return None
    return (min(xs), min(ys), max(xs), max(ys)) if parts else None


def _overlap(one: Box, other: Box) -> float:
    """IoU of two boxes with a pixel more to each side, so that small ones may be rounded."""
    (a0, b0, a1, b1), (c0, d0, c1, d1) = ((x0 - 1, y0 - 1, x1 + 1, y1 + 1) for x0, y0, x1, y1 in (one, other))
    common = max(0.0, min(a1, c1) - max(a0, c0)) * max(0.0, min(b1, d1) - max(b0, d0))
    whole = (a1 - a0) * (b1 - b0) + max(0.0, c1 - c0) * max(0.0, d1 - d0) - common
    return common / whole if whole > 0 else 0.0
