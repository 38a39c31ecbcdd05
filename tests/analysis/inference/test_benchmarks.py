"""Methods over several benchmarks. Reference values: baycomp 1.0.3."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference import friedman as ranks
from harness.analysis.inference.aggregates import interquartile_mean, mean_rank, performance_profile
from harness.analysis.inference.cells import fit
from harness.analysis.inference.pareto import pareto_front
from harness.analysis.inference.signed_rank import signed_rank

ACCURACY = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
"""14 benchmarks, 4 methods."""


def test_friedman():
    found = ranks.friedman(ACCURACY)
    chi2 = stats.friedmanchisquare(*ACCURACY.T)
    assert found.mean == pytest.approx([3.142857, 2.0, 2.928571, 1.928571], abs=1e-6)
    assert found.statistic == pytest.approx(13 * chi2.statistic / (14 * 3 - chi2.statistic))
    assert found.p == pytest.approx(stats.f.sf(found.statistic, 3, 39), abs=0.003)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)  # Demšar (2006): 4 methods, 14 data sets
    assert found.cliques == ((3, 1, 2, 0),)
    assert ranks.friedman(-ACCURACY, higher_is_better=False).mean == pytest.approx(found.mean)
    mixed = np.where(np.arange(14)[:, None] % 2, -ACCURACY, ACCURACY)
    assert ranks.friedman(mixed, higher_is_better=np.arange(14) % 2 == 0).mean == pytest.approx(found.mean)


def test_many_benchmarks_take_the_f_distribution():
    values = np.concatenate([ACCURACY, ACCURACY])
    found = ranks.friedman(values)
    assert found.p == stats.f.sf(found.statistic, 3, 81)


def test_two_benchmarks_that_agree_show_nothing():
    assert ranks.friedman([[1.0, 2.0], [3.0, 4.0]]).p == pytest.approx(0.5, abs=0.02)
    assert ranks.friedman(np.ones((3, 3))).p == 1


def test_methods_share_a_letter_where_a_bar_is_beside_both():
    apart, shuffled, alike = np.tile([1, 2, 3, 4, 5, 6], (9, 1)), np.tile([1, 6, 2, 5, 3, 4], (4, 1)), [[1, 2, 3], [3, 2, 1], [2, 1, 3]]
    for values in (apart, shuffled, alike, np.tile([1, 2], (8, 1))):
        found = ranks.friedman(values, higher_is_better=False)
        for one, other in combinations(range(found.mean.size), 2):
            beside = any({one, other} <= {*clique} for clique in found.cliques)
            assert bool({*found.letters[one]} & {*found.letters[other]}) == beside
        assert all(found.letters) and "a" in found.letters[int(np.argmin(found.mean))]


def test_cliques_are_the_bars_of_the_diagram():
    values = np.tile([5.0, 4.0, 3.0, 2.0, 1.0], (30, 1))
    found = ranks.friedman(values)
    assert found.critical_difference == pytest.approx(1.114, abs=0.01) and found.cliques == ((0, 1), (1, 2), (2, 3), (3, 4))
    assert ranks.friedman(np.tile([5.0, 4.0, 3.0, 2.0, 1.0], (60, 1))).cliques == ()


def test_wilcoxon():
    found = ranks.wilcoxon(ACCURACY)
    raw = [stats.wilcoxon(ACCURACY[:, i] - ACCURACY[:, j]).pvalue for i in range(4) for j in range(i + 1, 4)]
    assert found[0, 1] == pytest.approx(6 * min(raw)) and (found == found.T).all() and (np.diag(found) == 1).all()


def test_ranks_need_everything():
    with pytest.raises(ValueError, match="every method on every benchmark"):
        ranks.friedman([[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match="two or more of each"):
        ranks.friedman([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("i", "j", "a", "neither"), [(1, 0, 0.67135, 0.32865), (2, 1, 0.006815, 0.507995), (3, 2, 0.77989, 0.21938), (3, 0, 0.967285, 0.032345)]
)
def test_signed_rank_is_baycomps(i, j, a, neither):
    found = signed_rank(ACCURACY[:, i], ACCURACY[:, j], rope=0.01, draws=40000)
    assert (found.a, found.neither) == pytest.approx((a, neither), abs=0.01)
    other = signed_rank(ACCURACY[:, j], ACCURACY[:, i], rope=0.01, draws=40000)
    assert (other.b, other.neither) == pytest.approx((found.a, found.neither), abs=0.01)
    assert found.a + found.neither + found.b == pytest.approx(1)


def test_a_wide_rope_holds_everything():
    assert signed_rank(ACCURACY[:, 0], ACCURACY[:, 1], rope=1.0).neither == 1
    alike = signed_rank(ACCURACY[:, 0], ACCURACY[:, 0], rope=0.0)
    assert alike.a == alike.b == 0.5, "of two that are one neither is better for standing first"
    with pytest.raises(ValueError, match="one finite value"):
        signed_rank([1.0], [np.nan], 0.1)


def test_interquartile_mean():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(8, 5))
    found = interquartile_mean(scores)
    assert found.value == pytest.approx(stats.trim_mean(scores.ravel(), 0.25)) and found.low < found.value < found.high
    scores[0, 0] = 1e9
    assert interquartile_mean(scores).value < 1
    with pytest.raises(ValueError, match="5 seeds"):
        interquartile_mean(scores[:4])


def test_interquartile_mean_covers():
    """5 seeds, 6 benchmarks; three Monte Carlo standard errors are 4.6 %."""
    generator = np.random.default_rng(1)
    offset = np.linspace(-1, 1, 6)
    truth = stats.trim_mean((generator.normal(size=(100000, 6)) + offset).ravel(), 0.25)
    found = [interquartile_mean(generator.normal(size=(5, 6)) + offset, draws=400) for _ in range(200)]
    assert np.mean([f.low <= truth <= f.high for f in found]) > 0.9


def test_performance_profile():
    scores = np.random.default_rng(2).random((6, 4))
    found = performance_profile(scores, [0.0, 0.5, 0.9, 1.0])
    assert found.value == pytest.approx([1.0, (scores > 0.5).mean(), (scores > 0.9).mean(), 0.0])
    assert (np.diff(found.value) <= 0).all() and (found.low <= found.value).all() and (found.value <= found.high).all()


def test_mean_rank():
    generator = np.random.default_rng(3)
    values = [generator.normal(size=(3, 4)) * 0.1 + np.array([[3.0], [2.0], [1.0]]) for _ in range(6)]
    clear = mean_rank([fit(v) for v in values], [True] * 6)
    assert clear.mean.tolist() == [1, 2, 3] and clear.seeds == pytest.approx(np.array([[1, 1], [2, 2], [3, 3]]), abs=0.2)
    assert mean_rank([fit(-v) for v in values], [False] * 6).mean.tolist() == [1, 2, 3]
    noise = mean_rank([fit(generator.normal(size=(3, 4))) for _ in range(6)], [True] * 6)
    assert (
        (noise.seeds[:, 0] < noise.mean).all() and (noise.mean < noise.seeds[:, 1]).all() and (np.ptp(noise.benchmarks, axis=1) > 0.5).all()
    )
    assert mean_rank([fit(v) for v in values[:4]], [True] * 4).benchmarks is None
    with pytest.raises(ValueError, match="two seeds or more"):
        mean_rank([fit([[1.0], [2.0, 3.0]])], [True])


def test_pareto_front():
    value, cost = [90.0, 80.0, 95.0, 70.0, 90.0, np.nan], [10.0, 5.0, 20.0, 6.0, 10.0, 1.0]
    assert pareto_front(value, cost).tolist() == [True, True, True, False, True, False]
    assert pareto_front([0.5, 0.4], [1.0, 1.0], higher_is_better=False).tolist() == [False, True]
    assert pareto_front(value, cost, [1.0, 1.0, 1.0, 0.5, 1.0, 1.0]).tolist() == [True, True, True, True, True, False]
