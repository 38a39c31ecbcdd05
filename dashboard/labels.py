"""Names beside the points of a chart, where they fit.

    layer = labels.beside(frame, x, y, front)                 # drawn for several widths of the chart
    sides = labels.placed(points, names, width, height)       # place of a point -> side on which its name stands

Vega-Lite places no labels itself: here each name takes the first side of its point on which it meets no other name, no point and no
line, and is left to the tooltip where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import altair as alt
import pandas as pd

from dashboard import charts, tables
from harness import texts

LETTER, LINE, GAP = 5.6, 12, 8
"""Pixels of a letter, of a line of text, and between a point and its name."""

WIDE = (420, 640, 860)
"""Pixels of a chart for which names are placed."""

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


def beside(frame: pd.DataFrame, x: Any, y: Any, front: str) -> Any:
    """The layer of names beside the points of a chart, those that fit at its width.

    Args:
        frame: ``method``, ``cost`` and ``mean`` of each point, the ends ``low`` and ``high`` of its bar, and its ``front``.
        x, y: the chart's axes, with domains.
        front: of points that are joined by steps, which come first.
    """
    return alt.layer(*(_beside(frame, x, y, front, wide) for wide in WIDE))


def _beside(frame: pd.DataFrame, x: Any, y: Any, front: str, wide: int) -> Any:
    """Seen where the chart is so wide and no wider one of :data:`WIDE` fits."""
    (left, right), (bottom, top) = (axis.to_dict()["scale"]["domain"] for axis in (x, y))
    some = frame.sort_values("front", key=lambda column: column != front, kind="stable").reset_index(drop=True)

    def down(values: Any) -> Any:
        return (top - values) / (top - bottom)

    points = [*zip((some["cost"] - left) / (right - left), down(some["mean"]), strict=True)]
    lines = [Box(at, high, at, low) for (at, _), high, low in zip(points, down(some["high"]), down(some["low"]), strict=True)]
    joined = [point for point, group in zip(points, some["front"], strict=True) if group == front]
    for (here, level), (there, goal) in pairwise(sorted(joined)):
        lines += [Box(here, level, there, level), Box(there, min(level, goal), there, max(level, goal))]
    some["name"] = [texts.short(name, tables.LETTERS) for name in some["method"]]
    sides = placed(points, [*some["name"]], wide, 330, lines)
    below = min((more for more in WIDE if more > wide), default=100_000)
    seen = alt.ExprRef(f"width >= {wide} && width < {below} ? 1 : 0")
    over = GAP + LINE / 2
    by_side: dict[str, dict[str, Any]] = {
        "right": {"align": "left", "dx": GAP},
        "left": {"align": "right", "dx": -GAP},
        "above": {"align": "center", "dy": -over},
        "below": {"align": "center", "dy": over},
    }
    drawn = []
    for side, stands in by_side.items():
        mine = some.loc[[place for place, found in sides.items() if found == side]]
        marks = alt.Chart(mine).mark_text(baseline="middle", fontSize=10, color=charts.GREY, opacity=seen, **stands)
        drawn.append(marks.encode(x=x, y=y, text="name:N"))
    return alt.layer(*drawn)
