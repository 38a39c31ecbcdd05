"""All pairs of methods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.cells import Cells, fit
from harness.analysis.inference.mixtures import sum_of_two
from harness.analysis.inference.pairs import pair, pairwise, pairwise_paired
from harness.analysis.inference.scales import LINEAR
from harness.analysis.statistics import holm


def known(means, variance=1.0, n=4, df=1e4):
    """Cells whose variance is as good as known."""
    mean = np.asarray(means, float)
    full = np.full_like(mean, 1.0)
    return Cells(mean, full * n, full, full * variance, full * df, full * 0, LINEAR)


def test_known_variances_give_tukeys_range():
    """With equal, known variances the largest of all pairs is judged by the studentized range."""
    result = pairwise(known([0.0, 0.3, 0.9, 1.4, 1.5]), draws=20000)
    widest = np.argmax(np.abs(result.difference))
    expected = stats.studentized_range.sf(1.5 / 0.5, 5, np.inf)
    assert result.adjusted[widest] == pytest.approx(expected, abs=0.01)
    assert result.p[widest] == pytest.approx(2 * stats.norm.sf(1.5 / np.sqrt(0.5)), rel=1e-3)


def test_one_pair_needs_no_adjustment():
    cells = fit([[1.0, 2.0, 1.5], [3.0, 3.5, 4.1]])
    result = pairwise(cells)
    error = sum_of_two(cells.variance[0] / 3, cells.df[0], cells.variance[1] / 3, cells.df[1])
    assert result.p == pytest.approx(error.tail(result.difference)) and result.adjusted == pytest.approx(result.p)
    low, high = result.interval()
    assert error.tail(high - result.difference) == pytest.approx(0.05, rel=1e-3) and high + low == pytest.approx(2 * result.difference)


def test_adjusted_lie_between_alone_and_holm():
    generator = np.random.default_rng(0)
    result = pairwise(fit(generator.normal(size=(8, 3)) + 1.5 * np.arange(8)[:, None]))
    assert (result.adjusted >= result.p).all()
    simple = np.array(holm(result.p.tolist()))
    assert (result.adjusted <= simple + 0.01).mean() > 0.95 and result.adjusted.mean() < 0.9 * simple.mean()
    assert result.adjusted.min() < 0.05 < result.adjusted.max()


def test_order_of_methods_does_not_matter():
    values = np.random.default_rng(1).normal(size=(5, 4)) + np.arange(5)[:, None]
    order = np.array([3, 1, 4, 0, 2])
    one, other = pairwise(fit(values), draws=20000), pairwise(fit(values[order]), draws=20000)
    for p in ("p", "adjusted"):
        matrix = np.ones((5, 5))
        matrix[one.left, one.right] = matrix[one.right, one.left] = getattr(one, p)
        assert matrix[order[other.left], order[other.right]] == pytest.approx(getattr(other, p), abs=0.015)


def test_methods_without_a_spread_are_left_out():
    result = pairwise(fit([[1.0, 1.2], [5.0], [3.0, 3.1], [np.nan, 1.0]]))
    compared = ~np.isnan(result.adjusted)
    assert [(a, b) for a, b, c in zip(result.left, result.right, compared, strict=True) if c] == [(0, 2)]
    assert result.differ().shape == (4, 4) and not result.differ()[1].any()


def test_the_same_again():
    values = np.random.default_rng(2).normal(size=(6, 2))
    assert (pairwise(fit(values)).adjusted == pairwise(fit(values)).adjusted).all()


def test_false_claims_are_rare():
    """6 equal methods with 3 seeds; two Monte Carlo standard errors of 5 % are 3.1 %."""
    generator = np.random.default_rng(3)
    wrong = [pairwise(fit(generator.normal(size=(6, 3))), draws=199).adjusted.min() < 0.05 for _ in range(200)]
    assert np.mean(wrong) <= 0.08


def test_two_methods_paired_are_judged_by_their_differences():
    generator = np.random.default_rng(4)
    shared = generator.normal(0, 10, 6)
    values = np.stack([shared + generator.normal(0, 1, 6) + 1.5, shared + generator.normal(0, 1, 6)])
    assert pairwise_paired(values).p[0] == pytest.approx(stats.ttest_rel(*values).pvalue, rel=0.15)
    assert pairwise(fit(values)).p[0] > 0.3


def test_pairs_borrow_from_pairs():
    generator = np.random.default_rng(5)
    values = generator.normal(size=(8, 2)) + generator.normal(size=2) * 5
    result = pairwise_paired(values)
    assert (result.df > 1.5).all() and (result.adjusted >= result.p).all()


def test_paired_needs_two_seeds():
    with pytest.raises(ValueError, match="two seeds"):
        pairwise_paired([[1.0], [2.0]])


@pytest.mark.parametrize("shift", [0.0, 20.0])
def test_a_single_pair_is_that_of_the_table_far_out_too(shift):
    """The t that is matched at 5 and 0.1 % says too little beyond, where corrections over many claims look."""
    rows = [[80.0 + shift, 80.4 + shift, 80.9 + shift], [70.0, 71.0, 73.0], [60.0, 60.2, 60.1]]
    cells = fit(rows)
    table = pairwise(cells)
    for index, (left, right) in enumerate(zip(table.left, table.right, strict=True)):
        found = pair(cells, int(left), int(right))
        assert found.mean == pytest.approx(table.difference[index]) and found.variance == pytest.approx(table.variance[index])
        assert found.p(found.mean) == pytest.approx(table.p[index], rel=1e-9)
    assert not math.isfinite(pair(fit([[1.0], [2.0, 3.0]]), 0, 1).variance)
