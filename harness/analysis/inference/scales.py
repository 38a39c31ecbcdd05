"""How the spread of seeds depends on the mean, so that methods far apart can share what is known of it.

A scale has a variance function V: the variance of one seed's value is φ V(mean), and the dispersion φ is what methods share.
Means, and differences of means, stay those of the values themselves; nothing is averaged after a transformation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.inference.mixtures import Array

ROUNDING = 1e-3
"""Of percentages that were computed in single precision."""


@dataclass(frozen=True)
class Scale:
    """One of :data:`LINEAR`, :data:`PERCENT` and :data:`POSITIVE`."""

    name: Literal["linear", "percent", "positive"]

    def variance(self, mean: ArrayLike) -> Array:
        """V(mean): 1, mean (100 - mean) or mean²."""
        mean = self._within(mean)
        found: Array = {"linear": np.ones_like(mean), "percent": mean * (100 - mean), "positive": mean**2}[self.name]
        return found

    def at_end(self, mean: ArrayLike) -> np.ndarray:
        """Whether V is zero, but for a rounding of the mean: of percentages at 0 and 100."""
        mean = self._within(mean)
        near: np.ndarray = np.minimum(mean, 100 - mean) <= ROUNDING if self.name == "percent" else self.variance(mean) == 0
        return near

    def _within(self, mean: ArrayLike) -> Array:
        """A percentage that a rounding puts beyond its ends is there."""
        mean = np.asarray(mean, np.float64)
        return np.clip(mean, 0.0, 100.0) if self.name == "percent" else mean

    def of_difference(self, interval: tuple[float, float]) -> tuple[float, float]:
        """The part of an interval that the difference of two means can reach; percentages differ by no more than 100."""
        return (max(interval[0], -100.0), min(interval[1], 100.0)) if self.name == "percent" else interval

    def interval(self, mean: ArrayLike, reach: ArrayLike) -> tuple[Array, Array]:
        """Limits of a mean.

        Args:
            reach: quantile times the standard error of the mean where V is 1, √φ t/√n.

        linear: mean ± reach. percent: the means μ with \\|mean - μ\\| <= reach √V(μ) (Wilson 1927), which stays within 0 and 100 and
        has a width at both. positive: mean · exp(± reach).
        """
        mean, reach = np.asarray(mean, np.float64), np.asarray(reach, np.float64)
        if self.name == "linear":
            return mean - reach, mean + reach
        if self.name == "positive":
            with np.errstate(over="ignore"):
                return mean * np.exp(-reach), mean * np.exp(reach)
        half = reach * np.sqrt(self.variance(mean) + (50 * reach) ** 2) / (1 + reach**2)
        return np.maximum(self.centre(mean, reach) - half, 0.0), np.minimum(self.centre(mean, reach) + half, 100.0)

    def centre(self, mean: ArrayLike, reach: ArrayLike) -> Array:
        """Where V is taken for a standard error: the middle of a percentage's interval, so that none is zero at 0 or 100."""
        mean, reach = self._within(mean), np.asarray(reach, np.float64)
        return (mean + 50 * reach**2) / (1 + reach**2) if self.name == "percent" else mean


LINEAR = Scale("linear")
"""The same spread everywhere."""

PERCENT = Scale("percent")
"""Percentages: V of the overdispersed binomial (McCullagh & Nelder 1989, section 4.5). Seeds of one network disagree on a share of
the test samples, and the nearer to 0 or 100 the fewer there are to disagree on."""

POSITIVE = Scale("positive")
"""Errors: the same coefficient of variation everywhere."""


def scale_of(unit: str, values: Iterable[float]) -> Scale:
    """The scale of a metric: percentages by their unit, others are positive if all values are; values outside, by more than a rounding,
    make it linear."""
    array = _finite(values)
    if unit == "%":
        return PERCENT if array.size == 0 or (array.min() >= -ROUNDING and array.max() <= 100 + ROUNDING) else LINEAR
    return POSITIVE if array.size and array.min() > 0 else LINEAR


_LENGTHS = ("m", "px", "°", "deg", "s", "ms", "nats")


def reach(unit: str, values: Iterable[float] = ()) -> tuple[float, float]:
    """What a metric can be by its definition: 0 to 100 of percentages, no less than 0 of lengths, angles and times.

    Args:
        values: of a unit that says nothing: no less than 0 where none of them is. Percentages of which one lies beyond an end by more
            than a rounding do not end there: differences go down to -100.
    """
    array = _finite(values)
    if unit == "%":
        low, high = (array.min(), array.max()) if array.size else (0.0, 100.0)
        return next((end for end in (0.0, -100.0) if low >= end - ROUNDING), -np.inf), 100.0 if high <= 100 + ROUNDING else np.inf
    return (0.0 if unit in _LENGTHS or (array.size and array.min() >= 0) else -np.inf), np.inf


def ends(unit: str, values: Iterable[float]) -> tuple[float, float]:
    """Where intervals of a metric end: :func:`reach`, or its values where a rounding lies beyond."""
    array = _finite(values)
    least, most = reach(unit, array)
    return min(least, array.min(initial=np.inf)), max(most, array.max(initial=-np.inf))


def _finite(values: Iterable[float]) -> Array:
    array = np.array([*values], np.float64)
    return array[np.isfinite(array)]
