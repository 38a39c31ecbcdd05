"""Axes and marks. Places are shares of the width or height in percent, as SVG takes them, so that a drawing has any size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

_MARGIN = 0.04
"""Of an axis, on either side of what it shows."""

_DECADES = 10.0
"""Costs that differ by more than this factor are drawn on a logarithmic axis."""

_FEW = 4
"""Steps on an axis of costs, whose numbers are long."""

_FURTHEST = 3.0
"""A floor that would make an axis longer than this many times what the methods take is left out."""


@dataclass(frozen=True)
class Tick:
    """A number at an axis."""

    at: float
    """Percent from the axis's low end."""
    text: str


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, which differ."""

    low: float
    high: float
    log: bool = False
    most: int = 5
    """Steps between its round numbers."""

    def at(self, value: float) -> float:
        """Percent of the way from low to high, cut to the axis."""
        low, high, value = (
            (math.log10(x) for x in (self.low, self.high, max(value, self.low))) if self.log else (self.low, self.high, value)
        )
        return round(min(max(100 * (value - low) / (high - low), 0.0), 100.0), 2)

    def shows(self, value: float | None) -> bool:
        """Whether a value lies within."""
        return value is not None and self.low <= value <= self.high

    @cached_property
    def ticks(self) -> list[Tick]:
        """Round numbers within it. Matplotlib's are as good, but it takes longer to import than the whole page to write."""
        found = _in_decades(self.low, self.high) if self.log else _in_steps(self.low, self.high, self.most)
        return [Tick(self.at(value), f"{value:.10g}") for value in found if self.shows(value)]


def _in_steps(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, at most so many steps apart."""
    least = (high - low) / most
    size = 10.0 ** math.floor(math.log10(least))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= least)
    return [step * count for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _in_decades(low: float, high: float) -> list[float]:
    """Powers of ten, over less than three of them with 2 and 5 times each."""
    times = (1, 2, 5) if high / low < 1000 else (1,)
    return [some * 10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for some in times]


def axis(values: Iterable[float], *, floor: float | None = None, bounds: tuple[float, float] = (-math.inf, math.inf)) -> Axis | None:
    """A linear axis around values; ``None`` where none is finite.

    Args:
        floor: is on it, too, unless the rest would be squeezed.
        bounds: the axis ends there.
    """
    found = [value for value in values if math.isfinite(value)]
    if not found:
        return None
    low, high = min(found), max(found)
    if floor is not None and math.isfinite(floor):
        wide = max(high, floor) - min(low, floor)
        if wide <= _FURTHEST * (high - low) or high == low:
            low, high = min(low, floor), max(high, floor)
    margin = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
    return Axis(max(low - margin, bounds[0]), min(high + margin, bounds[1]))


def cost_axis(values: Sequence[float]) -> Axis | None:
    """An axis of costs, logarithmic where they differ by much; ``None`` where none is finite."""
    found = [value for value in values if math.isfinite(value)]
    if found and min(found) > 0 and max(found) / min(found) > _DECADES:
        beyond = (max(found) / min(found)) ** _MARGIN
        return Axis(min(found) / beyond, max(found) * beyond, log=True)
    found_axis = axis(found)
    return replace(found_axis, most=_FEW) if found_axis else None
