"""Masks whose numbers are no objects but shades of an edge, as resizing, antialiasing and JPEG leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

VOID = 255
"""Value of a mask that is no object, where objects are counted."""

_SHADES = 5
"""So many shades are an edge whatever else the mask holds; of thin things that touch others all along there are hardly as many."""


def shades(values: np.ndarray) -> list[int]:
    """The values of a mask (H, W) uint8 that are shades of soft edges; none where its edges are hard.

    A shade is found next to nothing but in hairlines between other values: few of its pixels lie in a block of 2 x 2, or away from what
    is marked otherwise. Small things that lie apart are none, and neither is a single thin thing, such as a rope beside its kite.
    """
    import numpy as np

    count = np.bincount(values.ravel(), minlength=256)[1:]
    marked, filled = int((count > 0).sum()), 2 * count[VOID - 1] > count.sum()
    if marked <= (1 if filled else _SHADES):
        return []
    edge = np.bincount(values[_hairlines(values)], minlength=256)[1:]
    found = [int(value) for value in np.flatnonzero(2 * edge > count) + 1 if not (filled and value == VOID)]
    others = marked - bool(filled)
    return found if 2 * len(found) > others and (filled or len(found) >= _SHADES) else []


def _hairlines(values: np.ndarray) -> np.ndarray:
    """Pixels in no block of 2 x 2 of their value that touch another value which is not 0."""
    import numpy as np

    height, width = values.shape
    padded = np.pad(values, 1)
    around = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    touching = np.logical_or.reduce([(other != values) & (other != 0) for other in around])
    corner = values[:-1, :-1]
    block = np.pad((corner == values[1:, :-1]) & (corner == values[:-1, 1:]) & (corner == values[1:, 1:]), 1)
    solid = block[1:, 1:] | block[1:, :-1] | block[:-1, 1:] | block[:-1, :-1]
    hairlines: np.ndarray = touching & ~solid & (values != 0)
    return hairlines
