"""Means over a few seeds with intervals that borrow strength from the other methods of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.inference.mixtures import Array, t_quantile
from harness.analysis.inference.moderation import moderate, typical
from harness.analysis.inference.scales import LINEAR, Scale
from harness.analysis.statistics import LEVEL

EQUAL = 1e-12
"""A standard deviation of no more than this share of the mean is that of equal values, whose mean is rounded."""


@dataclass(frozen=True)
class Cells:
    """The methods of one benchmark and metric, in the order they were given; arrays are (..., methods)."""

    mean: Array
    """NaN where a value is not finite."""
    n: Array
    """Seeds."""
    std: Array
    """Plain sample standard deviation; NaN under 2 seeds."""
    dispersion: Array
    """φ̃, moderated: the variance of one seed's value is φ̃ V(mean) (:mod:`scales`)."""
    df: Array
    """Degrees of freedom of φ̃; more than n - 1 where strength was borrowed."""
    apart: Array
    """Probability that the method's spread is not of the others' kind, as of one that sometimes fails to train."""
    scale: Scale

    @property
    def variance(self) -> Array:
        """Of one seed's value, in squared units."""
        reach = t_quantile(self.df, 1 - LEVEL) * np.sqrt(self.dispersion / self.n)
        return self.dispersion * self.scale.variance(self.scale.centre(self.mean, reach))

    def of(self, methods: Sequence[int]) -> Cells:
        """Some of the methods, as described among all."""
        some = [*methods]
        return Cells(
            self.mean[..., some],
            self.n[..., some],
            self.std[..., some],
            self.dispersion[..., some],
            self.df[..., some],
            self.apart[..., some],
            self.scale,
        )

    def interval(self, level: float = LEVEL) -> tuple[Array, Array]:
        """Limits of each mean; NaN under 2 seeds."""
        reach = t_quantile(self.df, 1 - level) * np.sqrt(self.dispersion / self.n)
        return self.scale.interval(self.mean, np.where(self.n > 1, reach, np.nan))


def fit(values: Sequence[ArrayLike], scale: Scale = LINEAR, *, moderated: bool = True) -> Cells:
    """Describe each method by its values over seeds.

    Args:
        values: one row of values per method; rows may differ in length.
        moderated: borrow strength; otherwise each method's own variance counts, as in Student's t.

    Raises:
        ValueError: no methods, or one without values.
    """
    rows = [np.asarray(row, np.float64) for row in values]
    if not rows or any(row.ndim != 1 or not row.size for row in rows):
        raise ValueError("every method needs at least one value")
    n = np.array([row.size for row in rows])
    means, variances = np.full((2, len(rows)), np.nan)
    for size in np.unique(n):  # mostly one, and rows of one length are described at once
        some = np.flatnonzero(n == size)
        table = np.stack([rows[index] for index in some])
        with np.errstate(invalid="ignore"):
            means[some] = np.where(np.isfinite(table).all(-1), table.mean(-1), np.nan)
            variances[some] = table.var(-1, ddof=1) if size > 1 else np.nan
    return from_moments(means, variances, n, scale, moderated=moderated)


def from_moments(mean: ArrayLike, variance: ArrayLike, n: ArrayLike, scale: Scale = LINEAR, *, moderated: bool = True) -> Cells:
    """:func:`fit` by means, sample variances and numbers of seeds, (..., methods); leading axes are separate benchmarks.

    A method with one seed says nothing of the spread and takes what the others say. One whose mean lies where V is zero, as of 100 %
    in every seed, has none that could be measured in units of V; but its seeds agree, so that it counts as one that has the others'
    typical dispersion, not as one that may have any.
    """
    mean, variance, n = (np.asarray(x, np.float64) for x in (mean, variance, n))
    mean, variance, n = np.broadcast_arrays(mean, variance, n)
    variance = np.where(variance <= (EQUAL * mean) ** 2, 0.0, variance)
    v = scale.variance(mean)
    end = scale.at_end(mean)
    known = np.isfinite(variance) & np.isfinite(mean) & ~end
    own = np.where(known, variance, 0.0) / np.where(known, v, 1.0)
    df = np.where(known, n - 1, 0.0)
    if moderated:
        usual = typical(own, df)
        bound = np.isfinite(mean) & end & (n > 1) & (usual > 0)
        shared = moderate(np.where(bound, usual, own), np.where(bound, n - 1, df), np.where(bound, 0.0, 1.0))
        usable = np.isfinite(mean) & (df.max(-1, keepdims=True) > 0)
        dispersion, df, apart = shared.variance, shared.df, shared.apart
    else:
        dispersion, usable, apart = own, known & (df > 0), np.zeros_like(own)
    return Cells(mean, n, np.sqrt(variance), np.where(usable, dispersion, np.nan), np.where(usable, df, np.nan), apart, scale)
