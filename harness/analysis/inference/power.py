"""What a number of seeds can show, and what to say where they show nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, ndtr, ndtri

from harness.analysis.inference.cells import Cells
from harness.analysis.inference.mixtures import sum_of_two, t_quantile
from harness.analysis.numbers import points, significant
from harness.analysis.statistics import LEVEL

POWER = 0.8
"""Chance with which a stated difference is found if it is there."""


@dataclass(frozen=True)
class Spread:
    """The seed-to-seed variance that a plan counts on."""

    variance: float
    """Of one seed's value; in a paired design, of one seed's difference."""
    df: float
    """Degrees of freedom of ``variance``."""
    borrowed: float
    """Degrees of freedom that come from other methods, whatever the number of seeds."""
    paired: bool = False
    fixed: float = 0.0
    """Variance of the difference that no number of seeds lessens: that of the choice of test samples."""
    fixed_df: float = np.inf


def spread_of(cells: Cells, methods: Sequence[int] = ()) -> Spread:
    """The spread of some methods, averaged, or the median one of a benchmark.

    Raises:
        ValueError: no method has a spread.
    """
    known = np.isfinite(cells.variance) & (cells.n > 1)
    chosen = np.array([index for index in methods or range(known.size) if known[index]], int)
    if not chosen.size:
        raise ValueError("no method here has a spread over seeds: run two seeds or more")
    borrowed = np.maximum(cells.df - (cells.n - 1), 0.0)[chosen]
    centre = np.mean if methods else np.median
    variance, df = (float(centre(x[chosen])) for x in (cells.variance, cells.df))
    return Spread(variance, df, float(np.median(borrowed)))


@lru_cache(maxsize=4096)  # a table of pairs asks alike for their sentences and for all together
def detectable(seeds: int, spread: Spread, *, alpha: float = 1 - LEVEL, power: float = POWER) -> float:
    """Smallest true difference of two methods that ``seeds`` seeds each find with a chance of ``power``.

    Given σ², the chance is that of a noncentral t with noncentrality δ/SE, SE² = 2σ²/n (paired: σ²/n), to exceed the test's critical
    value, which unpaired is that of the sum of two t. σ² is not known: the chance is averaged over σ² ~ s̃² df/χ²(df), so that the
    difference stated is found with ``power`` on average, not only by those whose seeds happened to spread as much as the truth.

    What ``fixed`` hides is added in quadrature, (t + z)² fixed; exact where one of both variances is far larger.

    Args:
        alpha: level of the test; divide it by the number of pairs for a claim about all of them.

    Raises:
        ValueError: under two seeds.
    """
    if seeds < 2:
        raise ValueError(f"a difference between methods needs two seeds each, not {seeds}")
    df = spread.borrowed + seeds - 1
    critical = float(t_quantile(df, alpha))
    if not spread.paired:
        total = sum_of_two(0.5, df, 0.5, df)
        critical, df = float(total.quantile(alpha)), float(total.matched()[1])
    error = np.sqrt(spread.variance * (1 if spread.paired else 2) / seeds)
    true = np.sqrt(spread.df / chdtri(spread.df, _NODES))[:, None]
    found = critical * np.sqrt(chdtri(df, _NODES) / df)

    low, high = math.log(critical) - 10, math.log(critical) + 10
    while high - low > 1e-12:  # bisection: importing scipy.optimize takes longer than all of this
        middle = (low + high) / 2
        low, high = (middle, high) if ndtr(math.exp(middle) / true - found).mean() < power else (low, middle)
    of_seeds = float(error * math.exp(low))
    of_samples = float(t_quantile(spread.fixed_df, alpha) + ndtri(power)) * math.sqrt(spread.fixed)
    return math.hypot(of_seeds, of_samples)


_NODES = (np.arange(50) + 0.5) / 50
"""Probabilities at whose quantiles variances are averaged over."""


def verdict(
    a: str,
    b: str,
    difference: float,
    p: float,
    seeds: int,
    spread: Spread,
    *,
    higher_is_better: bool = True,
    unit: str = "",
    more: int = 5,
    alpha: float = 1 - LEVEL,
) -> str:
    """One sentence: which method is better, or that they cannot be told apart and what more seeds would show.

    Args:
        difference: a - b.
        p: adjusted for everything that was looked at.
        alpha: level of what more seeds would show, see :func:`detectable`.
    """
    told = points(unit)
    if p < 1 - LEVEL:
        better, worse = (a, b) if (difference > 0) == higher_is_better else (b, a)
        return f"{better} is better than {worse} by {significant(abs(difference), 3, told)}."
    now, then = (detectable(count, spread, alpha=alpha) for count in (seeds, seeds + more))
    here = "cannot show any, however large" if unit == "%" and now >= 99.95 else f"show differences from {significant(now, 2, told)} on"
    there = "could not either" if unit == "%" and then >= 99.95 else f"would show {significant(then, 2, told)}"
    return f"{a} and {b} cannot be told apart: {seeds} seeds {here}; {more} more seeds {there}."
