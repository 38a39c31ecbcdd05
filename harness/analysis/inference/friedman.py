"""Methods over several benchmarks by their ranks (Demšar 2006, J. Mach. Learn. Res. 7:1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from harness.analysis.inference.mixtures import Array
from harness.analysis.inference.ranking import average_ranks, letters
from harness.analysis.numbers import RANK, number
from harness.analysis.statistics import LEVEL, holm
from harness.texts import amount

PERMUTED = 15
DRAWS = 9999


@dataclass(frozen=True)
class Ranks:
    """Ranks of methods over benchmarks, and whether they differ at all; with what a critical-difference diagram draws."""

    ranks: Array
    """(benchmarks, methods), 1 for the best, ties averaged."""
    mean: Array
    statistic: float
    """Iman & Davenport's F."""
    alpha: float

    @cached_property
    def p(self) -> float:
        count, methods = self.ranks.shape
        if count >= PERMUTED:
            return float(fdtrc(methods - 1, (methods - 1) * (count - 1), self.statistic))
        permuted = np.random.default_rng(0).permuted(np.broadcast_to(self.ranks, (DRAWS, count, methods)), axis=2)
        return float((1 + (_chi2(permuted) >= _chi2(self.ranks) - 1e-9).sum()) / (1 + DRAWS))

    @cached_property
    def critical_difference(self) -> float:
        """Nemenyi: mean ranks that differ by less cannot be told apart."""
        from scipy import stats  # takes longer than the ranks of a page that draws no diagram

        count, methods = self.ranks.shape
        q = stats.studentized_range.ppf(1 - self.alpha, methods, np.inf) / np.sqrt(2)
        return float(q * np.sqrt(methods * (methods + 1) / (6 * count)))

    @property
    def nemenyi(self) -> str:
        """How far apart mean ranks have to be, in words; or that none can be, and of how many benchmarks some could."""
        count, methods = self.ranks.shape
        if self.critical_difference <= methods - 1:
            return f"mean ranks {number(self.critical_difference, RANK)} apart differ (Nemenyi)"
        needed = math.ceil(count * (self.critical_difference / (methods - 1)) ** 2 - 1e-9)
        return f"ranks on {amount(count, 'benchmark')} can tell no two of {methods} methods apart; on {needed} they could (Nemenyi)"

    @cached_property
    def cliques(self) -> tuple[tuple[int, ...], ...]:
        """The bars of the diagram: largest sets of methods whose mean ranks lie within the critical difference, best first."""
        return _cliques(self.mean, self.critical_difference)

    @cached_property
    def letters(self) -> tuple[str, ...]:
        """Of each method: two share one exactly if they cannot be told apart."""
        beyond = self.mean >= self.mean[:, None] + self.critical_difference
        return tuple(letters(np.argsort(self.mean, kind="stable").tolist(), beyond | beyond.T))


def friedman(values: ArrayLike, *, higher_is_better: bool | ArrayLike = True, alpha: float = 1 - LEVEL) -> Ranks:
    """Friedman's test with Iman & Davenport's F, and Nemenyi's critical difference.

    Args:
        values: (benchmarks, methods).
        higher_is_better: for all benchmarks or one by one.

    χ² = (k - 1) Σ_j (R_j - N(k + 1)/2)² / Σ_ij (r_ij - (k + 1)/2)², corrected for ties; F = (N - 1)χ²/(N(k - 1) - χ²) with k - 1 and
    (k - 1)(N - 1) degrees of freedom (Iman & Davenport 1980). With fewer than :data:`PERMUTED` benchmarks p is that of ranks permuted
    within each benchmark: where 2 benchmarks agree on 2 methods, as half of all do, F would say p = 0.
    CD = q_α √(k(k + 1)/(6N)), q_α the studentized range for k means over √2.

    Raises:
        ValueError: under two benchmarks or methods, or a value that is not finite.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or min(array.shape) < 2:
        raise ValueError(f"benchmarks x methods needed, two or more of each, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("ranks need a value of every method on every benchmark: leave out the method or the benchmark")
    count, methods = array.shape
    sign = np.where(np.broadcast_to(higher_is_better, count), -1.0, 1.0)
    ranks = average_ranks(array * sign[:, None])
    mean = ranks.mean(0)
    chi2 = _chi2(ranks)
    with np.errstate(divide="ignore"):
        f = (count - 1) * chi2 / np.maximum(count * (methods - 1) - chi2, 0.0)
    return Ranks(ranks, mean, float(f), alpha)


def _chi2(ranks: Array) -> Array:
    """Friedman's statistic of ranks (..., benchmarks, methods)."""
    count, methods = ranks.shape[-2:]
    middle = (methods + 1) / 2
    between = ((ranks.sum(-2) - count * middle) ** 2).sum(-1)
    spread = ((ranks - middle) ** 2).sum((-2, -1))
    found: Array = np.divide((methods - 1) * between, spread, out=np.zeros_like(between), where=spread > 0)
    return found


def _cliques(mean: Array, critical: float) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(mean, kind="stable")
    found: list[tuple[int, ...]] = []
    end = 0
    for start in range(order.size):
        reach = int(np.searchsorted(mean[order], mean[order[start]] + critical, side="left"))
        if reach > max(end, start + 1):
            found.append(tuple(order[start:reach].tolist()))
        end = max(end, reach)
    return tuple(found)


def fewest(methods: int) -> int:
    """Benchmarks that :func:`wilcoxon` needs to tell any two of so many methods apart."""
    return math.ceil(1 + math.log2(methods * (methods - 1) / (2 * (1 - LEVEL))))


def wilcoxon(values: ArrayLike) -> Array:
    """Holm-adjusted p values (methods, methods) of signed-rank tests of all pairs; values in one unit on all benchmarks.

    With N benchmarks no p is below 2^(1 - N): among k methods nothing can differ unless N >= 1 + log2(k(k - 1)/(2 alpha)), which is
    8 benchmarks for 4 methods and 13 for 15 (:func:`fewest`).
    """
    from scipy import stats

    array = np.asarray(values, np.float64)
    methods = array.shape[1]
    left, right = np.triu_indices(methods, 1)
    pairs = (array[:, left] - array[:, right]).T
    matrix = np.ones((methods, methods))
    matrix[left, right] = matrix[right, left] = holm([float(stats.wilcoxon(pair).pvalue) if pair.any() else 1.0 for pair in pairs])
    return matrix
