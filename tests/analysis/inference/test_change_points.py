"""Change points: against all partitions, and false alarms and power by simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.change_points import change_points


def exhaustive(series, alpha):
    """The best partition of all, by trying each."""
    n = len(series)
    df = sum(len(values) - 1 for values in series)
    noise = sum(((values - values.mean()) ** 2).sum() for values in series) / df
    penalty = stats.t.ppf(1 - alpha / (n - 1) / 2, df) ** 2 * noise

    def cost(edges):
        total = 0.0
        for start, end in zip((0, *edges), (*edges, n), strict=True):
            weights = np.array([len(values) for values in series[start:end]])
            means = np.array([values.mean() for values in series[start:end]])
            total += (weights * (means - np.average(means, weights=weights)) ** 2).sum()
        return total + penalty * len(edges)

    return min((edges for k in range(n) for edges in combinations(range(1, n), k)), key=cost)


@pytest.mark.parametrize("draw", range(8))
def test_the_partition_is_the_best_of_all(draw):
    rng = np.random.default_rng(draw)
    series = [rng.normal((index // 3) * 2.0, 1.0, rng.integers(1, 5)) for index in range(9)]
    assert tuple(found.at for found in change_points(series, 0.05)) == exhaustive(series, 0.05)


@pytest.mark.parametrize("seeds", [1, 3])
def test_false_alarms_and_power(seeds):
    rng, repeats = np.random.default_rng(0), 400
    still = sum(bool(change_points(rng.normal(80, 1.5, (20, seeds)))) for _ in range(repeats))
    assert still <= 0.01 * repeats + 6
    moved = [
        [found.at for found in change_points(rng.normal(np.r_[[80.0] * 12, [75.0] * 8][:, None], 1.5, (20, seeds)))] for _ in range(100)
    ]
    assert sum(any(abs(at - 12) <= 1 for at in some) for some in moved) > (70 if seeds == 1 else 95)


def test_a_change_is_described():
    (found,) = change_points([[80.0, 81.0, 82.0]] * 4 + [[70.0, 71.0, 72.0]] * 3)
    assert (found.at, found.before, found.after) == (4, pytest.approx(81.0), pytest.approx(71.0)) and found.p < 1e-6


def test_too_little_is_known_of_the_noise_for_a_claim():
    assert change_points([]) == change_points([[80.0]]) == change_points([[80.0], [10.0]]) == []
    assert [found.at for found in change_points([[80.0, 80.0], [80.0, 80.0], [79.0, 79.0]])] == [2], "seeds that agree exactly"
    assert change_points([[90.0] * 3, [90.00001] * 3]) == [], "equal in single precision"
    single = [[value] for value in (95.2, 95.2, 95.2, 95.2, 95.0, 95.2, 95.2)]
    assert change_points(single) == [], "a rounded value that is mostly the same does not say how far another one may be"


def test_rounded_values_that_mostly_repeat_change_where_their_order_says_so():
    (found,) = change_points([[95.2]] * 8 + [[80.0]] * 8)
    assert (found.at, found.before, found.after) == (8, pytest.approx(95.2), 80.0) and 1e-4 < found.p < 0.01
    assert [found.at for found in change_points([[95.237654321]] * 7 + [[80.0123456]] * 9 + [[90.0]] * 8)] == [7, 16]
    assert change_points([[95.2]] * 10 + [[80.0]]) == [], "the last of eleven is one in eleven"
    rng = np.random.default_rng(0)
    alarms = [change_points(np.round(rng.normal(95.2, sd, (12, 1)), 1)) != [] for sd in (0.03, 0.05, 0.08) for _ in range(300)]
    assert sum(alarms) <= 0.03 * len(alarms)
