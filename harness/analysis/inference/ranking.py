"""How far the order of the methods on a benchmark can be trusted."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from harness.analysis.inference.mixtures import Array
from harness.analysis.inference.pairs import Pairs
from harness.analysis.statistics import LEVEL


def average_ranks(values: ArrayLike) -> Array:
    """Ranks of numbers along the last axis, 1 for the least, those that are equal sharing the mean of theirs.

    As ``scipy.stats.rankdata``, which takes half a second to import.
    """
    array = np.asarray(values, np.float64)
    order = np.argsort(array, axis=-1, kind="stable")
    ordered = np.take_along_axis(array, order, -1)
    place = np.arange(array.shape[-1])
    starts, ends = np.ones(array.shape, bool), np.ones(array.shape, bool)
    starts[..., 1:] = ends[..., :-1] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=-1)
    last = np.minimum.accumulate(np.where(ends, place, place.size)[..., ::-1], axis=-1)[..., ::-1]
    found = np.empty(array.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, -1)
    return found


@dataclass(frozen=True)
class Reliability:
    """Of means over some number of seeds."""

    seeds: int
    icc: float
    """Share of the variance of the means that is between methods: intraclass correlation ICC(1, seeds) (Shrout & Fleiss 1979)."""
    tau: float
    """Kendall's τ to be expected between the order found and that of an independent replication with as many seeds."""


def reliability(means: ArrayLike, variances: ArrayLike, n: ArrayLike, seeds: int) -> Reliability:
    """Test-retest reliability of a ranking.

    Args:
        means, variances, n: mean over seeds, variance of one seed's value, and seeds of each method.
        seeds: of the two replications in question.

    Between methods lies B² = var(means) - mean(variances/n), since the means found spread more than the true ones. The means are
    drawn together until their variance is B² (constrained empirical Bayes, Louis 1984), two replications order a pair alike with
    chance p² + (1 - p)², p = Φ(\\|θ_i - θ_j\\|/√((σ_i² + σ_j²)/seeds)), and τ is the mean of (2p - 1)² over pairs.

    Raises:
        ValueError: under two methods with a mean and a variance.
    """
    m, v, n = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (means, variances, n)))
    known = np.isfinite(m) & np.isfinite(v)
    m, v, n = m[known], v[known], n[known]
    if m.size < 2:
        raise ValueError("a ranking needs two methods with several seeds")
    observed = m.var(ddof=1)
    between = max(observed - (v / n).mean(), 0.0)
    noise = v.mean() / seeds
    icc = between / (between + noise) if between > 0 else 0.0
    theta = m.mean() + (m - m.mean()) * np.sqrt(between / observed if observed > 0 else 0.0)
    i, j = np.triu_indices(m.size, 1)
    gap, error = np.abs(theta[i] - theta[j]), np.sqrt((v[i] + v[j]) / seeds)
    score = np.divide(gap, error, out=np.where(gap > 0, np.inf, 0.0), where=error > 0)
    return Reliability(seeds, float(icc), float(((2 * ndtr(score) - 1) ** 2).mean()))


def rank_intervals(means: ArrayLike, pairs: Pairs, *, higher_is_better: bool = True, alpha: float = 1 - LEVEL) -> Array:
    """(methods, 2): lowest and highest rank each method may have, 1 for the best; all hold together with confidence 1 - alpha.

    Counts who is told to be better and worse (Mogstad, Romano, Shaikh & Wilhelm 2024, Rev. Econ. Stud. 91:476).
    """
    merit = np.asarray(means, np.float64) * (1 if higher_is_better else -1)
    differ = pairs.differ(alpha)
    better = merit[None, :] > merit[:, None]
    return np.stack([1 + (differ & better).sum(1), merit.size - (differ & ~better).sum(1)], axis=1)


def letters(ranked: Sequence[int], differ: ArrayLike) -> list[str]:
    """Compact letter display: two methods share a letter exactly if they cannot be told apart.

    Args:
        ranked: indices of methods, best first; the best gets an ``a``.
        differ: (methods, methods), symmetric.

    Returns:
        The letters of each method, in the order of ``differ``.

    Insert and absorb (Piepho 2004, J. Comput. Graph. Stat. 13:456): a column that holds a differing pair is split in two, each
    without one of them, and columns within others are dropped.
    """
    matrix = np.asarray(differ, bool)
    columns = [(1 << len(ranked)) - 1]  # a column is a set of places, kept as the bits of a number
    for i, j in np.argwhere(np.triu(matrix[np.ix_(ranked, ranked)], 1)).tolist():
        both = 1 << i | 1 << j
        kept = [column for column in columns if column & both != both]
        parts = [part for column in columns if column & both == both for part in (column & ~(1 << i), column & ~(1 << j))]
        # a part lies within no other part, since no column lay within another one
        columns = kept + [part for part in parts if all(part & column != part for column in kept)]
    places = sorted([place for place in range(len(ranked)) if column >> place & 1] for column in columns)
    found = [""] * len(matrix)
    for number, column in enumerate(places):
        for place in column:
            found[ranked[place]] += letter(number)
    return found


def letter(number: int) -> str:
    """a to z, A to Z, then those of other alphabets: one character each, so that what two methods share can be seen."""
    if number < len(string.ascii_letters):
        return string.ascii_letters[number]
    place = 0x100 + number - len(string.ascii_letters)
    return chr(place if place < 0x250 else place + 0x4E00 - 0x250)
