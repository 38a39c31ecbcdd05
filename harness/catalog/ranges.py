"""What is tried of one option when methods are tuned: ``tune:`` of a benchmark or a method."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.catalog.entry import Entry

Bounds = Annotated[list[int | float], Field(min_length=2, max_length=2)]


class Range(Entry):
    """Values of one option; exactly one of the four. Two whole bounds mean whole numbers, the last included."""

    times: Bounds | None = None
    """Factors of the registered value, uniform in their logarithm."""
    log: Bounds | None = None
    """From the one to the other, uniform in their logarithm."""
    linear: Bounds | None = None
    """From the one to the other, uniform."""
    choices: Annotated[list[Any], Field(min_length=2)] | None = None
    """One of these."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Range:
        given = self.plain()
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}; found {', '.join(given) or 'none'}")
        ((kind, values),) = given.items()
        if kind != "choices" and values[0] >= values[1]:
            raise ValueError(f"{kind}: {values[0]} is not below {values[1]}")
        if kind in ("times", "log") and values[0] <= 0:
            raise ValueError(f"{kind}: {values[0]} has no logarithm; give bounds above 0")
        return self

    def plain(self) -> dict[str, Any]:
        """As it is written in a registry."""
        return self.model_dump(exclude_none=True)

    def at(self, place: float, registered: float | None = None) -> Any:
        """The value at a place of [0, 1).

        Numbers are rounded to three digits: a person can repeat them, and the last bits of a machine's logarithm are in no digest.

        Args:
            registered: what ``times`` is the multiple of.
        """
        if self.choices is not None:
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        low, high = self.times or self.log or self.linear or [math.nan, math.nan]
        if self.linear is not None:
            if _whole(self.linear):
                return min(int(low + place * (high - low + 1)), high)
            return _rounded(low + place * (high - low))
        value = low * (high / low) ** place
        if self.times is not None:
            assert registered is not None
            return _rounded(value * registered)
        return round(value) if _whole(self.log) else _rounded(value)


def _whole(bounds: list[int | float] | None) -> bool:
    return all(isinstance(bound, int) for bound in bounds or ())


def _rounded(value: float) -> float:
    return float(f"{value:.3g}") if math.isfinite(value) else value


LEARNING_RATE = Range(times=[0.25, 4])
"""Of every benchmark that says nothing else."""
PROJECTIONS = Range(log=[0.01, 1.0])
"""``lr_mult`` (:mod:`harness.marks`) of every method whose plugin takes it, unless the method says something else."""
