"""Where the mean of a series changes, of which each point is a few seeds.

Optimal partitioning (Jackson et al. 2005, IEEE Signal Process. Lett. 12:105), exact in O(n²), which is nothing for the versions of a
method. Libraries for change points (ruptures, apache-otava) take one number per point and a penalty or a window that someone has to
choose; here seeds say what is noise, and the penalty follows from the chance of a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, stdtr, stdtrit

from harness.analysis.statistics import SINGLE

ALPHA = 0.01
"""Chance that a series without a change shows one or more."""

_LEAST_DF = 2
"""With fewer degrees of freedom the noise is not known well enough for any claim."""


@dataclass(frozen=True)
class ChangePoint:
    """The mean changes between point ``at - 1`` and point ``at``."""

    at: int
    before: float
    """Mean of all values since the last change."""
    after: float
    """Mean of all values until the next one."""
    p: float
    """Two-sided, corrected for the number of places where a change may be."""


def change_points(series: Sequence[ArrayLike], alpha: float = ALPHA) -> list[ChangePoint]:
    """Find changes of the mean.

    Args:
        series: in order; each point is one or more values of independent seeds, all finite.
        alpha: see :data:`ALPHA`.

    The partition minimises Σ n_i (mean_i - segment)²/s² + β changes with β the square of Student's t at alpha/(points - 1). s² is the
    variance within points, pooled; where points are single values, that of neighbours' differences, by their median, so that a few
    changes do not count as noise.
    """
    points = [np.asarray(values, np.float64) for values in series]
    if len(points) < 2:
        return []
    counts = np.array([values.size for values in points], np.float64)
    means = np.array([values.mean() for values in points])
    variance, df, least = _noise(points, means)
    if df < _LEAST_DF or least > alpha:
        return []
    penalty = float(stdtrit(df, 1 - alpha / (len(points) - 1) / 2)) ** 2 * variance
    total, weighted, squared = (np.concatenate([[0.0], np.cumsum(x)]) for x in (counts, counts * means, counts * means**2))
    best, last = np.full(len(points) + 1, -penalty), np.zeros(len(points) + 1, int)
    for end in range(1, len(points) + 1):
        starts = np.arange(end)
        inside = squared[end] - squared[starts] - (weighted[end] - weighted[starts]) ** 2 / (total[end] - total[starts])
        cost = best[starts] + np.maximum(inside, 0.0) + penalty
        last[end] = int(np.argmin(cost))
        best[end] = cost[last[end]]
    edges = [len(points)]
    while edges[-1]:
        edges.append(int(last[edges[-1]]))
    edges.reverse()
    found = []
    for start, at, end in zip(edges, edges[1:], edges[2:], strict=False):
        before, after = ((weighted[b] - weighted[a]) / (total[b] - total[a]) for a, b in ((start, at), (at, end)))
        error = math.sqrt(variance * (1 / (total[at] - total[start]) + 1 / (total[end] - total[at])))
        p = 2 * float(stdtr(df, -abs(after - before) / error)) * (len(points) - 1)
        found.append(ChangePoint(at, float(before), float(after), min(max(p, least), 1.0)))
    return found


def _noise(points: Sequence[np.ndarray], means: np.ndarray) -> tuple[float, float, float]:
    """Variance of one value, its degrees of freedom, and a p value that no change is below."""
    tiny = (SINGLE * max(float(np.abs(means).max()), SINGLE)) ** 2
    df = float(sum(values.size - 1 for values in points))
    if df >= _LEAST_DF:
        return max(sum(float(((values - values.mean()) ** 2).sum()) for values in points) / df, tiny), df, 0.0
    steps = np.abs(np.diff(means))
    if np.median(steps) ** 2 <= tiny:  # rounded values that are mostly equal do not tell how far the others may be off; their order may
        return tiny, 0.5 * steps.size, _by_order(np.concatenate([[0], np.cumsum(steps**2 > tiny)]), np.round(means / math.sqrt(tiny)))
    # the median of |N(0, 2σ²)| is 0.6745 √2 σ; half a degree of freedom a step keeps the promise of ALPHA in simulations
    return max((float(np.median(steps)) / 0.6745) ** 2 / 2, tiny), 0.5 * steps.size, 0.0


def _by_order(run: np.ndarray, values: np.ndarray) -> float:
    """How likely values in a random order would form so few runs of equal ones; no less than that.

    Args:
        run: of each value, which run it is in, from 0 on.
    """
    counts = np.unique(values, return_counts=True)[1]
    kinds, runs = counts.size, int(run[-1]) + 1
    orders = gammaln(values.size + 1) - gammaln(counts + 1).sum()
    # runs begin at some places, each with another kind than the one before
    few = [math.comb(values.size - 1, some - 1) * kinds * max(kinds - 1, 1) ** (some - 1) for some in range(1, runs + 1)]
    return min(1.0, math.exp(math.log(sum(few)) - float(orders)))
