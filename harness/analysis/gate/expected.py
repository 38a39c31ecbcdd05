"""What one metric of one method should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.board import Row
from harness.analysis.settings import Setting

RELATIVE = 0.03
"""A drop means something from this share of the distance between mean and floor on."""

LEAST = {"%": 1.0, "m": 0.01, "deg": 0.1, "°": 0.1, "px": 0.05}
"""Unit -> the smallest drop that means something, however near the floor is."""

Key = tuple[str, int, str, str]
"""Benchmark, version, method, metric."""


@dataclass(frozen=True)
class Expected:
    """One metric of one method, as the baseline has it."""

    benchmark: str
    version: int
    method: str
    metric: str
    unit: str
    higher_is_better: bool
    mean: float | None
    """``None`` where the metric was not a number."""
    n: int
    """Seeds that a check must have."""
    tolerance: float
    """The smallest drop that means something, in the metric's unit."""
    given: bool = False
    """Whether someone chose the tolerance; it then decides alone where the noise is not known."""
    primary: bool = True
    seeds: tuple[int, ...] = ()
    """Empty in files of schema 1 and 2, whose tolerance decides alone."""
    values: tuple[float, ...] = ()
    """In the order of ``seeds``."""
    digests: tuple[str, ...] = ()
    """Of the trials, in the order of ``seeds``."""
    machines: tuple[str, ...] = ()
    """Where each ran, see :func:`harness.analysis.gate.machines.known_as`."""
    floor: float | None = None
    setting: str | None = None
    """Digest of what the number depends on besides the method; ``None`` in a file of schema 1."""
    device: str = ""
    """``cpu`` or ``cuda``."""
    overrides: tuple[str, ...] = ()
    """What ``--set`` changed."""
    measured_in: Setting | None = None
    """What is behind ``setting``."""

    @property
    def key(self) -> Key:
        return self.benchmark, self.version, self.method, self.metric

    def distance(self) -> float:
        """How far the mean can fall until it says nothing any more: to the floor, or to the end of the scale where that is nearer.

        Not more than 0 where the metric was not a number or the method is no better than the trivial predictor; infinite for an
        error without a floor.
        """
        return 0.0 if self.mean is None else distance(self.mean, self.floor, self.unit, self.higher_is_better)


def about(some: Expected | Row) -> dict[str, Any]:
    """What a metric of a method is, whatever it is measured to be."""
    names = ("benchmark", "version", "method", "metric", "unit", "higher_is_better", "primary")
    return {name: getattr(some, name) for name in names}


def distance(mean: float, floor: float | None, unit: str, higher_is_better: bool) -> float:
    """See :meth:`Expected.distance`."""
    if higher_is_better:
        return mean - max(
            floor if floor is not None and math.isfinite(floor) else -math.inf, 0.0 if unit == "%" or mean >= 0 else -math.inf
        )
    end = 100.0 if unit == "%" else math.inf
    return min(floor if floor is not None and math.isfinite(floor) else math.inf, end) - mean


def default_tolerance(mean: float, floor: float | None, unit: str, higher_is_better: bool, relative: float = RELATIVE) -> float:
    """The smallest drop that means something: a share of the distance to the floor, and no less than :data:`LEAST` of the unit.

    Three significant digits. A share of the mean where there is no floor, or the mean does not reach it.
    """
    if not math.isfinite(mean):
        return 0.0
    span = distance(mean, floor, unit, higher_is_better)
    span = span if 0 < span < math.inf else abs(mean)
    return float(f"{max(relative * span, LEAST.get(unit, 0.0)):.3g}")


def mean_of(values: Sequence[float]) -> float | None:
    """The mean; ``None`` where it is not a number."""
    mean = math.fsum(values) / len(values) if values and all(map(math.isfinite, values)) else math.nan
    return mean if math.isfinite(mean) else None
