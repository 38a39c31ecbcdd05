"""Uncertainty of a score that comes from the choice of test samples: bootstrap over groups of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from harness.analysis.inference.mixtures import Array, t_quantile
from harness.analysis.statistics import LEVEL

Statistic = Callable[..., Array]
"""Called with scores (..., samples) and ``axis=-1``, as :func:`numpy.mean` and :func:`numpy.median` are."""

DRAWS = 2000

LEAST_GROUPS = 8
"""Fewer groups resample to intervals that cover too little (docs/statistics.md)."""

CHUNK = 500_000
"""Groups that are drawn at a time."""

BLOCKS = 200
"""The jackknife behind BCa leaves out at most this many blocks of groups in turn."""


@dataclass(frozen=True)
class SampleInterval:
    """A statistic of the test samples and what another draw of such samples would give."""

    value: float
    interval: tuple[float, float] | None
    """``None`` with fewer than :data:`LEAST_GROUPS` groups, or where a score is not finite."""
    samples: int
    groups: int


def sample_interval(
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    statistic: Statistic = np.mean,
    *,
    bounds: tuple[float, float] | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> SampleInterval:
    """Interval of one trained model's score over test samples.

    Args:
        scores: one per sample.
        groups: what each sample belongs to (scene, sequence, image); samples of a group are drawn together. Each alone if ``None``.
        bounds: least and greatest score. Where all scores are one of them, resampling shows no spread; the interval then reaches to
            where all groups would still agree with a chance of (1 - level)/2 (Clopper & Pearson 1934).

    Groups are drawn with replacement (Davison & Hinkley 1997, section 3.8). The interval is BCa (Efron 1987) with z quantiles
    replaced by √(G/(G - 1)) t(G - 1), which makes up for the narrowness of a bootstrap of few groups G (Hesterberg 2015, section 5.2).

    Raises:
        ValueError: no scores, or groups of another length.
    """
    array = np.asarray(scores, np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"one score per sample needed, not an array of {array.shape}")
    clusters = Clusters.of(groups, array.size)
    value, count = float(statistic(array, axis=-1)), clusters.count
    if count < LEAST_GROUPS or not np.isfinite(array).all():
        return SampleInterval(value, None, array.size, count)
    if bounds is not None and array.min() == array.max() and value in bounds:
        reach = (bounds[1] - bounds[0]) * (1 - ((1 - level) / 2) ** (1 / count))
        limits = (value, value + reach) if value == bounds[0] else (value - reach, value)
        return SampleInterval(value, limits, array.size, count)
    drawn = clusters.resample(array[None], statistic, draws=draws, seed=seed)[:, 0]
    share = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    bias = ndtri(np.clip(share, 1 / (2 * draws), 1 - 1 / (2 * draws)))
    left_out = clusters.jackknife(array[None], statistic)[:, 0]
    pull = left_out.mean() - left_out
    spread = (pull**2).sum()
    acceleration = (pull**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    z = bias + np.sqrt(count / (count - 1)) * t_quantile(count - 1, 1 - level) * np.array([-1.0, 1.0])
    low, high = np.quantile(drawn, ndtr(bias + z / np.maximum(1 - acceleration * z, 1e-6)))
    return SampleInterval(value, (float(low), float(high)), array.size, count)


@dataclass(frozen=True)
class Clusters:
    """Which samples belong together."""

    order: np.ndarray
    """Samples, group by group."""
    start: np.ndarray
    """Where each group begins in ``order``."""
    size: np.ndarray

    @classmethod
    def of(cls, groups: ArrayLike | None, samples: int) -> Clusters:
        """Groups by the samples' labels; each sample alone if ``None``.

        Raises:
            ValueError: not one label per sample.
        """
        if groups is None:
            return cls(np.arange(samples), np.arange(samples), np.ones(samples, int))
        labels = np.asarray(groups)
        if labels.shape != (samples,):
            raise ValueError(f"{samples} samples but group labels of shape {labels.shape}")
        _, number, size = np.unique(labels, return_inverse=True, return_counts=True)
        return cls(np.argsort(number, kind="stable"), np.cumsum(size) - size, size)

    @property
    def count(self) -> int:
        return self.size.size

    def samples(self, groups: np.ndarray) -> np.ndarray:
        """The samples of some groups, which may repeat."""
        size = self.size[groups]
        offset = np.repeat(self.start[groups] - (np.cumsum(size) - size), size)
        found: np.ndarray = self.order[offset + np.arange(size.sum())]
        return found

    def resample(self, scores: Array, statistic: Statistic, *, draws: int = DRAWS, seed: int = 0) -> Array:
        """The statistic (draws, rows) of scores (rows, samples) when groups are drawn with replacement, the same for all rows."""
        generator = np.random.default_rng(seed)
        sums = np.add.reduceat(scores[:, self.order], self.start, axis=1)
        found = []
        for done in range(0, draws, step := max(1, CHUNK // self.count)):
            picks = generator.integers(self.count, size=(min(step, draws - done), self.count))
            if statistic is np.mean:
                size = self.size[picks].sum(1)
                found.append(np.stack([row[picks].sum(1) for row in sums], axis=1) / size[:, None])
            else:
                found.append(np.stack([statistic(scores[:, self.samples(pick)], axis=-1) for pick in picks]))
        return np.concatenate(found)

    def jackknife(self, scores: Array, statistic: Statistic) -> Array:
        """The statistic (blocks, rows) without one group at a time, or without one of :data:`BLOCKS` blocks of groups."""
        block = np.arange(self.count) % BLOCKS
        return np.stack(
            [statistic(scores[:, self.samples(np.flatnonzero(block != left_out))], axis=-1) for left_out in range(block.max() + 1)]
        )
