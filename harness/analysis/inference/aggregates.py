"""One number per method over several benchmarks, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.inference.cells import Cells
from harness.analysis.inference.mixtures import Array, t_quantile
from harness.analysis.inference.ranking import average_ranks
from harness.analysis.statistics import LEVEL

LEAST_BENCHMARKS = 5
"""The t interval of fewer ranks covers too little (docs/statistics.md)."""

LEAST_SEEDS = 5
"""Seeds that resampling needs: the spread of fewer is mostly not in the sample."""


@dataclass(frozen=True)
class MeanRank:
    """Mean ranks of the methods, 1 for the best, with 95 % intervals (methods, 2)."""

    mean: Array
    seeds: Array
    """What other seeds would give on these benchmarks."""
    benchmarks: Array | None
    """What other seeds on other benchmarks of their kind would give; ``None`` under :data:`LEAST_BENCHMARKS`."""


def mean_rank(cells: list[Cells], higher_is_better: list[bool], *, draws: int = 2000, seed: int = 0) -> MeanRank:
    """Rank methods on each benchmark and average.

    Args:
        cells: one per benchmark, of the same methods in the same order.
        higher_is_better: one per benchmark.

    ``seeds``: means are drawn from their t distributions and ranked anew; since noise on top of noise pulls ranks to the middle, the
    draws are put back around the ranks found. ``benchmarks``: t interval of the ranks over benchmarks, whose variation holds that of
    seeds; a bootstrap of so few benchmarks would cover too little.

    Raises:
        ValueError: a method without an interval on some benchmark.
    """
    means = np.stack([cell.mean for cell in cells])
    errors = np.stack([np.sqrt(cell.variance / cell.n) for cell in cells])
    df = np.stack([cell.df for cell in cells])
    agree = np.stack([cell.std == 0 for cell in cells]) & np.isnan(errors)  # as where all have 100 %: no seed differs anywhere
    errors, df = np.where(agree, 0.0, errors), np.where(agree, 1.0, df)
    if not np.isfinite(errors).all() or any((cell.n < 2).any() for cell in cells):
        raise ValueError("mean ranks need two seeds or more of every method on every benchmark: leave out the method or the benchmark")
    sign = np.where(np.asarray(higher_is_better), -1.0, 1.0)[:, None]
    ranks = average_ranks(means * sign)
    mean = ranks.mean(0)
    noise = np.random.default_rng(seed).standard_t(df, (draws, *df.shape)) * errors
    drawn = average_ranks((means + noise) * sign).mean(1)
    seeds = np.quantile(drawn - drawn.mean(0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0).T + mean[:, None]
    # where nearly all draws agree, taking off their mean puts both ends on one side of the rank found
    seeds = np.stack([np.minimum(seeds[:, 0], mean), np.maximum(seeds[:, 1], mean)], axis=1)
    inside = (1.0, float(mean.size))
    benchmarks = None
    if len(ranks) >= LEAST_BENCHMARKS:
        half = t_quantile(len(ranks) - 1, 1 - LEVEL) * ranks.std(0, ddof=1) / np.sqrt(len(ranks))
        benchmarks = np.clip(np.stack([mean - half, mean + half], axis=1), *inside)
    return MeanRank(mean, np.clip(seeds, *inside), benchmarks)


@dataclass(frozen=True)
class Aggregate:
    """A statistic of one method's normalised scores, with its 95 % interval."""

    value: Array
    low: Array
    high: Array


def interquartile_mean(scores: ArrayLike, *, draws: int = 2000, seed: int = 0) -> Aggregate:
    """Mean of the middle half of all scores of a method (Agarwal et al. 2021, NeurIPS).

    Args:
        scores: (seeds, benchmarks), normalised to one unit, such as (value - floor)/(best - floor).

    Raises:
        ValueError: fewer than :data:`LEAST_SEEDS` seeds.
    """
    from scipy import stats  # takes longer than the mean ranks of a page that shows no scores

    return _stratified(scores, lambda pooled: stats.trim_mean(pooled, 0.25, axis=-1), draws, seed)


def performance_profile(scores: ArrayLike, thresholds: ArrayLike, *, draws: int = 2000, seed: int = 0) -> Aggregate:
    """Share of a method's scores above each threshold (Dolan & Moré 2002; Agarwal et al. 2021); arrays are (thresholds,).

    Raises:
        ValueError: fewer than :data:`LEAST_SEEDS` seeds.
    """
    levels = np.asarray(thresholds, np.float64)
    return _stratified(scores, lambda pooled: np.stack([(pooled > level).mean(-1) for level in levels], -1), draws, seed)


def _stratified(scores: ArrayLike, statistic: Callable[[np.ndarray], np.ndarray], draws: int, seed: int) -> Aggregate:
    """Seeds are resampled within each benchmark; deviations are widened by √(S/(S - 1)), the share that resampling S seeds lacks."""
    array = np.asarray(scores, np.float64)
    if array.ndim != 2 or len(array) < LEAST_SEEDS:
        raise ValueError(f"seeds x benchmarks with {LEAST_SEEDS} seeds or more needed, not {array.shape}: resampling shows too little")
    seeds, benchmarks = array.shape
    picks = np.random.default_rng(seed).integers(seeds, size=(draws, seeds, benchmarks))
    drawn = statistic(array[picks, np.arange(benchmarks)].reshape(draws, -1))
    value = statistic(array.reshape(-1))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    widen = np.sqrt(seeds / (seeds - 1))
    return Aggregate(value, value + widen * (low - value), value + widen * (high - value))
