"""Points at (0, 0) or (-1, -1), as tools write a point that is not labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

KIND = "points at (0, 0) or (-1, -1)"
UNSET = f"{KIND}, taken as not labelled"
_BESIDE = 1
"""Pixels from the upper left corner of the image, within which a box begins that may have a point there."""


def at_corner(points: np.ndarray) -> np.ndarray:
    """Of points (K, 2) those at one of the two places: (K,)."""
    found: np.ndarray = (points == 0).all(axis=1) | (points == -1).all(axis=1)
    return found


def unset(flagged: Sequence[np.ndarray], boxes: Sequence[Sequence[float] | None]) -> list[np.ndarray]:
    """Of the points (K, 3) of each instance those that are flagged as labelled and are not: (K,) each.

    A point may lie in the very corner once, or where the box of its instance begins there; further ones are no labels.

    Args:
        boxes: x, y, width and height of each instance, where it has them.
    """
    import numpy as np

    corners = [at_corner(points[:, :2]) & (points[:, 2] > 0) for points in flagged]
    often = np.sum(corners, axis=0) > 1
    inside = [box is not None and max(box[:2]) <= _BESIDE for box in boxes]
    return [corner & (often | (corner.sum() > 1)) & (not begins) for corner, begins in zip(corners, inside, strict=True)]
