"""Two methods over seeds and test samples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.inference.mixtures import Array, sum_of_two
from harness.analysis.inference.samples import DRAWS, Clusters, Statistic
from harness.analysis.statistics import LEVEL


@dataclass(frozen=True)
class Effect:
    """A number, how far it may be off for other seeds and other test samples, and the p value of what it is held against."""

    value: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Hierarchical:
    """What is known of a - b."""

    difference: Effect
    """Against 0."""
    superiority: Effect
    """Chance that a scores higher than b on a sample, ties counted half, with one seed drawn for both; against 0.5."""
    standardized: float
    """Difference per sample, averaged over seeds: its mean in standard deviations over samples (Cohen's d_z)."""
    seed_variance: float | None
    """Of one seed's difference; ``None`` with one seed, whose result then speaks of these trained models only."""
    sample_variance: float
    """Of the difference, from the choice of samples."""
    seeds: int
    groups: int


def compare_samples(
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike | None = None,
    statistic: Statistic = np.mean,
    *,
    moderated: tuple[float, float] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Hierarchical:
    """Compare two methods measured with the same seeds on the same samples.

    Args:
        a, b: scores (seeds, samples).
        groups: what each sample belongs to; see :func:`samples.sample_interval`.
        statistic: of the scores of a seed; the difference is statistic(a) - statistic(b), averaged over seeds.
        moderated: variance of one seed's difference and its degrees of freedom, from :mod:`cells` or
            :func:`pairs.pairwise_paired` (times seeds), in place of what these seeds alone say.

    Seeds and samples are crossed: each seed meets each sample, so resampling both at once counts their interaction twice (Owen 2007,
    Ann. Appl. Stat. 1:386), and two seeds resampled show half their variance. Instead, samples are resampled with the same draws for
    all seeds. The variance of the mean over S seeds of T_s is var_s(T_s)/S, which holds seeds and interaction, plus the covariance of
    T_s and T_s' over resamples for s ≠ s', which holds what samples do to all seeds alike; each is exact in the mean for linear
    statistics. Interval and p are those of the sum of two t variables with S - 1 (or moderated) and G - 1 degrees of freedom.

    Raises:
        ValueError: other shapes, fewer than two groups, or scores that are not finite.
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.ndim != 2 or left.shape != right.shape or not left.size:
        raise ValueError(f"seeds x samples needed for both methods, not {left.shape} and {right.shape}")
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise ValueError("a score is not finite: drop the sample from both methods, or count it as missed in both")
    seeds, clusters = len(left), Clusters.of(groups, left.shape[1])
    if clusters.count < 2:
        raise ValueError("all samples belong to one group: what other samples would give cannot be told")

    values = statistic(left, axis=-1) - statistic(right, axis=-1)
    drawn = clusters.resample(np.concatenate([left, right]), statistic, draws=draws, seed=seed)
    wins = (np.sign(left - right) + 1) / 2
    difference, seed_part, sample_part = _effect(values, drawn[:, :seeds] - drawn[:, seeds:], clusters.count, 0.0, moderated)
    chance, _, _ = _effect(wins.mean(1), clusters.resample(wins, np.mean, draws=draws, seed=seed), clusters.count, 0.5, None)
    low, high = chance.interval
    each = (left - right).mean(0)
    return Hierarchical(
        difference,
        Effect(chance.value, (max(low, 0.0), min(high, 1.0)), chance.p),
        float(each.mean() / each.std(ddof=1)) if each.std() > 0 else float(np.sign(each.mean()) * np.inf if each.mean() else 0.0),
        seed_part,
        sample_part,
        seeds,
        clusters.count,
    )


def _effect(
    values: Array, drawn: Array, groups: int, null: float, moderated: tuple[float, float] | None
) -> tuple[Effect, float | None, float]:
    """The mean of one value per seed, with resamples (draws, seeds); its seed variance and its sample variance."""
    seeds = values.size
    # resampling G groups shows (G - 1)/G of their variance
    covariance = np.atleast_2d(np.cov(drawn, rowvar=False)) * groups / (groups - 1)
    if seeds == 1:
        variance, sample_part = None, float(covariance[0, 0])
        error = sum_of_two(0.0, 1.0, sample_part, groups - 1)
    else:
        variance, df = moderated or (float(values.var(ddof=1)), seeds - 1)
        shared = (covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
        sample_part = max(float(shared), 0.0)
        error = sum_of_two(variance / seeds, df, sample_part, groups - 1)
    mean = float(values.mean())
    half = float(error.quantile(1 - LEVEL))
    return Effect(mean, (mean - half, mean + half), float(error.tail(mean - null))), variance, sample_part
