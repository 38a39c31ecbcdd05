"""Every method of a benchmark against every other, over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.inference.cells import Cells
from harness.analysis.inference.mixtures import Array, Mixture, sum_of_two, t_quantile, two_sided
from harness.analysis.inference.moderation import moderate
from harness.analysis.statistics import LEVEL, holm

DRAWS = 4000
"""Draws of the joint distribution behind adjusted p values, which are therefore at least one over their number plus one."""

MOST = 2_000_000
"""Statistics that are drawn, at 1000 draws or more: of 40 methods, 2564 times 780."""


@dataclass(frozen=True)
class Pairs:
    """All differences ``left - right``; arrays have one element per pair, NaN where one of both has no spread to judge by."""

    left: np.ndarray
    """Index of a method."""
    right: np.ndarray
    difference: Array
    variance: Array
    """Of the difference of the means."""
    df: Array
    p: Array
    """Two-sided, of this pair alone."""
    adjusted: Array
    """Two-sided, of all pairs together: the chance of one or more false claims on a benchmark is at most alpha."""

    def interval(self, level: float = LEVEL) -> tuple[Array, Array]:
        """Limits of each difference, of this pair alone."""
        half = t_quantile(self.df, 1 - level) * np.sqrt(self.variance)
        return self.difference - half, self.difference + half

    def differ(self, alpha: float = 1 - LEVEL) -> np.ndarray:
        """(methods, methods): whether two can be told apart."""
        matrix = np.zeros((self.right.max(initial=0) + 1,) * 2, bool)
        matrix[self.left, self.right] = matrix[self.right, self.left] = self.adjusted < alpha
        return matrix


def pairwise(cells: Cells, *, draws: int = DRAWS, seed: int = 0) -> Pairs:
    """Compare means over seeds, whether or not methods share them: common seeds that help both only make it cautious.

    A difference is the sum of two t variables (:func:`mixtures.sum_of_two`). Adjusted p values are those of the step-down maximum
    (Westfall & Young 1993, algorithm 2.8): how often, were all means equal, the largest statistic among a pair and all less
    extreme ones would be at least this pair's, drawn from the methods' joint distribution. Holm's correction takes the many pairs
    of one method for unrelated and finds fewer differences, with 2 seeds and 20 methods nearly none (docs/statistics.md).
    """
    left, right = np.triu_indices(cells.mean.size, 1)
    variance = cells.variance / cells.n
    known = np.isfinite(variance) & (cells.n > 1)
    variance, df = np.where(known, variance, 0.0), np.where(known, cells.df, 1.0)
    mixture = sum_of_two(variance[left], df[left], variance[right], df[right])
    difference = cells.mean[left] - cells.mean[right]
    usable = known[left] & known[right]
    p = np.where(usable, mixture.tail(difference), np.nan)
    squared, nu = (np.where(usable, x, np.nan) for x in mixture.matched())
    adjusted = p.copy()
    if usable.sum() > 1:
        observed = _score(difference, squared, nu)
        draws = max(min(draws, MOST // int(usable.sum())), min(draws, 1000))
        order = np.flatnonzero(usable)[np.argsort(-observed[usable], kind="stable")]
        noise = np.ascontiguousarray((np.random.default_rng(seed).standard_t(df, (draws, df.size)) * np.sqrt(variance)).T)
        reached = np.zeros(order.size, int)
        largest = np.zeros(draws)
        divisor, stretch = squared * nu, _stretch(nu)
        for place in reversed(range(order.size)):  # from the least extreme pair on: what is worked on stays in the processor's cache
            pair = order[place]
            if squared[pair] > 0:  # or else both never vary
                drawn = noise[left[pair]] - noise[right[pair]]
                drawn *= drawn
                drawn /= divisor[pair]
                np.log1p(drawn, out=drawn)
                drawn *= stretch[pair]
                np.maximum(largest, drawn, out=largest)
            reached[place] = np.count_nonzero(largest >= observed[pair])
        chance = (1 + reached) / (1 + draws)
        adjusted[order] = np.maximum(np.maximum.accumulate(chance), p[order])
    return Pairs(left, right, difference, squared, nu, p, adjusted)


@dataclass(frozen=True)
class Difference:
    """Of two methods, or of one from a number; of a single pair, where nothing else is asked."""

    mean: float
    variance: float
    """Of :attr:`mean`; NaN where nothing is known of it."""
    df: float
    mixture: Mixture | None = None
    """What variance and degrees of freedom are matched to at 5 and 0.1 %, where they are not all of it."""

    def p(self, beyond: float) -> float:
        """Two-sided, of a difference of that size."""
        if self.mixture is None:
            return float(two_sided(beyond, self.variance, self.df))
        return float(self.mixture.tail(np.array([beyond]))[0])


def pair(cells: Cells, left: int, right: int) -> Difference:
    """One pair as :func:`pairwise` has it, and nothing of the others."""
    both = sorted((left, right))
    mean = float(cells.mean[left] - cells.mean[right])
    variance, df = cells.variance[both] / cells.n[both], cells.df[both]
    if not (np.isfinite(variance) & (cells.n[both] > 1)).all():
        return Difference(mean, math.nan, math.nan)
    mixture = sum_of_two(variance[:1], df[:1], variance[1:], df[1:])
    variance, df = mixture.matched()
    return Difference(mean, float(variance[0]), float(df[0]), mixture)


def pairwise_paired(values: ArrayLike) -> Pairs:
    """Compare seed by seed: for methods that share what a seed draws, so that their values rise and fall together.

    Args:
        values: (methods, seeds), two seeds or more.

    The variance of each pair's differences is moderated by those of the other pairs, which count for as much as there are methods,
    since each takes part in many pairs; p values are adjusted by Holm. Without a correlation between methods this shows less than
    :func:`pairwise`.

    Raises:
        ValueError: under two seeds.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(f"methods x seeds needed, two seeds or more, not {array.shape}")
    count, seeds = array.shape
    left, right = np.triu_indices(count, 1)
    differences = array[left] - array[right]
    usable = np.isfinite(differences).all(1)
    own = np.where(usable, differences.var(1, ddof=1), 0.0)
    shared = moderate(own, np.where(usable, seeds - 1, 0), weight=2 / count)
    variance, df = (np.where(usable, x, np.nan) for x in (shared.variance / seeds, shared.df))
    difference = differences.mean(1)
    p = two_sided(difference, variance, df)
    adjusted = p.copy()
    adjusted[usable] = holm(p[usable].tolist())
    return Pairs(left, right, difference, variance, df, p, adjusted)


def _score(difference: Array, variance: Array, df: Array) -> Array:
    """The square of t as a normal score (Wallace 1959), which puts pairs with few and with many degrees of freedom on one footing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(difference == 0, 0.0 * variance, difference**2 / (variance * df))
    found: Array = np.log1p(squared) * _stretch(df)
    return found


def _stretch(df: ArrayLike) -> Any:
    df = np.asarray(df, np.float64)
    return df * ((8 * df + 1) / (8 * df + 3)) ** 2
