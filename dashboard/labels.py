"""Names beside the points of a chart, where they fit.

    sides = labels.placed(points, names, width, height)       # place of a point -> side on which its name stands

Vega-Lite places no labels itself: here each name takes the first side of its point on which it meets no other name, no point and no
line, and is left to the tooltip where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

LETTER, LINE, GAP = 5.6, 12, 8
"""Pixels of a letter, of a line of text, and between a point and its name."""

Side = Literal["right", "left", "above", "below"]


class Box(NamedTuple):
    """In pixels, or in shares of the chart."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether they have a point in common."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


def box(x: float, y: float, name: str, side: Side) -> Box:
    """What a name beside a point covers."""
    wide = LETTER * len(name)
    left = {"right": x + GAP, "left": x - GAP - wide}.get(side, x - wide / 2)
    middle = y + {"above": -(GAP + LINE / 2), "below": GAP + LINE / 2}.get(side, 0)
    return Box(left, middle - LINE / 2, left + wide, middle + LINE / 2)


def placed(
    points: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float, lines: Iterable[Box] = ()
) -> dict[int, Side]:
    """Place of a point -> on which side its name stands; of those whose names fit.

    Args:
        points: x and y of each, as shares of the chart from its left and its top; the more wanted first.
        width: of the chart, in pixels.
        height: of it.
        lines: upright and level ones, as shares too.
    """
    at = [(x * width, y * height) for x, y in points]
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in at]
    taken += [Box(left * width - 1, top * height - 1, right * width + 1, bottom * height + 1) for left, top, right, bottom in lines]
    found: dict[int, Side] = {}
    sides: tuple[Side, ...] = ("right", "left", "above", "below")
    for index, (x, y) in enumerate(at):
        for side in sides:
            mine = box(x, y, names[index], side)
            inside = mine.left >= 0 and mine.top >= -LINE / 2 and mine.right <= width and mine.bottom <= height + LINE / 2
            if inside and not any(mine.meets(other) for other in taken):
                found[index] = side
                taken.append(mine)
                break
    return found
