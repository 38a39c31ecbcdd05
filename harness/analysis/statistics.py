"""Means, intervals, paired differences and corrections; no input or output.

A value that is not finite makes what is computed from it not finite: nothing is dropped silently.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
"""Confidence of every interval the harness shows."""

SINGLE = 1e-6
"""Values that differ by no more than this share are equal: metrics are stored in double precision and computed in single."""


@dataclass(frozen=True)
class Summary:
    """What several seeds say about one metric."""

    mean: float
    std: float | None
    """Sample standard deviation (n - 1); ``None`` under two values."""
    ci95: tuple[float, float] | None
    """Student's t interval of the mean; ``None`` under two values or where a value is not finite."""
    n: int


def summarize(values: Sequence[float]) -> Summary:
    """Mean, spread and 95 % interval of independent values.

    The interval is mean ± t(0.975, n - 1) · s / √n, exact for normal values.

    Raises:
        ValueError: no values.
    """
    if not len(values):
        raise ValueError("no values to summarize")
    array = np.asarray(values, dtype=np.float64)
    n = array.size
    try:  # rounded once, so that the same seeds have the same mean wherever it is worked out, to the last digit that is shown
        mean = math.fsum(values) / n
    except (OverflowError, ValueError):  # beyond floating point, or infinities of both signs
        mean = float(np.add.reduce(array)) / n
    if n < 2:
        return Summary(mean, None, None, n)
    if not np.isfinite(array).all():
        return Summary(math.nan, None, None, n)
    apart = array - mean
    std = math.sqrt(np.add.reduce(apart * apart) / (n - 1))  # a third of the time of array.std(ddof=1) is spent before it begins
    half = _quantile(n - 1) * std / math.sqrt(n)
    return Summary(mean, std, (mean - half, mean + half), n)


@cache
def _quantile(df: int) -> float:
    return float(stdtrit(df, 0.5 + LEVEL / 2))


@dataclass(frozen=True)
class Paired:
    """The difference a - b of two methods measured on the same seeds or samples."""

    difference: float
    ci95: tuple[float, float] | None
    p: float | None
    """Two-sided p-value of the paired t-test; ``None`` under two pairs."""
    n: int


def paired(a: Sequence[float], b: Sequence[float]) -> Paired:
    """Paired t-test of ``a`` against ``b``, element by element.

    Where all differences are equal there is no spread to judge by: p is 1 for no difference and 0 otherwise.

    Raises:
        ValueError: different lengths, or no pairs.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"pairs needed: {len(a)} values against {len(b)}")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    summary = summarize(differences.tolist())
    if summary.ci95 is None or summary.std is None:
        return Paired(summary.mean, None, None, summary.n)
    if summary.std == 0.0:
        return Paired(summary.mean, summary.ci95, float(summary.mean == 0.0), summary.n)
    t = summary.mean / (summary.std / math.sqrt(summary.n))
    return Paired(summary.mean, summary.ci95, float(2 * stdtr(summary.n - 1, -abs(t))), summary.n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Holm 1979): controls the chance of one false claim among all comparisons."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
