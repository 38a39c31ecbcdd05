"""Boxes of a COCO file, and whether they are what they should be: x, y, width and height in pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.benchmarks.keypoint.readers.pose import Box, Poses
from harness.benchmarks.keypoint.readers.tally import MOST, Tally

if TYPE_CHECKING:
    import numpy as np

_BEYOND = 2
"""Pixels that a box may leave its image by, as rounding makes them."""
_AS_CORNERS, _LEAVING = 0.9, 0.1
"""Boxes are corners where this share of them holds all points of its instance when read so, and this share leaves the image otherwise."""
_LARGER, _SOME = 1.5, 4
"""Where no box leaves its image, boxes may be corners if these hold all points and are smaller than x, y, width, height by this factor."""
_ENLARGED = 0.1
"""Share of a box's sides within which a point beside it may belong to it."""


class Boxes:
    """Reads the boxes of one file and counts what speaks against them."""

    def __init__(self, listing: Poses, where: str):
        self.listing, self.where = listing, where
        self.tally = Tally(listing, where)
        self.count = self.corners = self.leaving = self.larger = 0

    def read(self, place: str, raw: Any, size: tuple[int, int], points: np.ndarray, visible: np.ndarray) -> Box | None:
        """Corners of an (x, y, width, height) box, cut to the image as mmpose does it; ``None`` where there is none.

        Args:
            place: where in the file, for messages.
            points: (K, 2) pixels.
            visible: (K,), 0 where not labelled.
        """
        self.count += 1
        if raw is None:
            mend = "write data.box: points to take it from the labelled points, or data.box: image to show whole images"
            self.tally.leave_out("annotations with no box", place, mend)
            return None
        box = _cut(raw, size)
        if box is None:
            kind = "annotations whose bbox is no box (x, y, width, height) inside the image"
            self.tally.leave_out(kind, f"{place}: {raw!r:.60}", "correct them, or write data.box: points or image")
            return None
        x, y, width, height = (float(value) for value in raw)
        there = points[visible > 0]
        inside = (there >= (x - 1, y - 1)).all() and (there <= (width + 1, height + 1)).all()
        self.corners += bool(inside and width > x and height > y)
        self.larger += bool(width > x and height > y and width * height > _LARGER * (width - x) * (height - y))
        self.leaving += x + width > size[0] + _BEYOND or y + height > size[1] + _BEYOND
        low, high = (x - _ENLARGED * width, y - _ENLARGED * height), (x + (1 + _ENLARGED) * width, y + (1 + _ENLARGED) * height)
        beside = ((there < low) | (there > high)).any(axis=1)
        if 2 * beside.sum() >= len(there):
            mend = "boxes are x and y of the upper left corner, width and height, in pixels of the image, like the points"
            self.tally.note("boxes beside the points of their instance", f"{place}: {raw!r:.60}", mend, MOST)
        return box

    def tell(self) -> None:
        """Note what was counted."""
        mend = "write x, y, width, height, as COCO does"
        leave = f"{self.leaving} of {self.count} boxes leave their image as x, y, width, height"
        if self.corners >= _AS_CORNERS * self.count and self.leaving > _LEAVING * self.count:
            what = f"the boxes are corners: {leave}, and {self.corners} hold their points as x0, y0, x1, y1"
            self.listing.add(self.where, what, mend)
        elif self.corners == self.count >= _SOME and self.larger >= _AS_CORNERS * self.count:
            what = f"all {self.count} boxes hold their points as x0, y0, x1, y1, too, and are far larger as x, y, width, height"
            self.listing.add(self.where, what, f"if they are corners, {mend}", fatal=False)
        elif self.leaving > _LEAVING * self.count:
            self.listing.add(self.where, f"{leave}; they are cut to it", "if they are of another scale, correct them", fatal=False)
        self.tally.tell(self.count)


def _cut(raw: Any, size: tuple[int, int]) -> Box | None:
    if not isinstance(raw, list) or len(raw) != 4:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in raw):
        return None
    x, y, width, height = raw
    x0, x1 = (min(max(float(v), 0.0), size[0] - 1.0) for v in (x, x + width))
    y0, y1 = (min(max(float(v), 0.0), size[1] - 1.0) for v in (y, y + height))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
