"""Intervals of means over seeds, on the scale of their metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.cells import fit, from_moments
from harness.analysis.inference.scales import LINEAR, PERCENT, POSITIVE, scale_of
from harness.analysis.statistics import summarize

VALUES = [[86.3, 87.1], [75.4, 76.2, 75.9], [54.6, 63.8]]


def test_without_borrowing_intervals_are_students():
    low, high = fit(VALUES, moderated=False).interval()
    for row, interval in zip(VALUES, zip(low, high, strict=True), strict=True):
        assert interval == pytest.approx(summarize(row).ci95)


def test_borrowing_narrows_what_two_seeds_cannot_know():
    plain, shared = fit(VALUES, moderated=False), fit(VALUES)
    width = [np.subtract(*cells.interval()[::-1]) for cells in (plain, shared)]
    assert width[1][2] < width[0][2] / 2 and (shared.df > plain.df).all()
    assert (shared.mean == plain.mean).all() and shared.std == pytest.approx([summarize(row).std for row in VALUES])


def test_wilsons_interval_is_that_of_counts():
    """With the dispersion of a binomial count and the normal quantile it is the interval of a proportion."""
    z = stats.norm.ppf(0.975)
    for hits in (0, 1, 37, 50):
        low, high = PERCENT.interval(2 * hits, z / np.sqrt(50))
        expected = stats.binomtest(hits, 50).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_percentages_stay_between_0_and_100():
    cells = fit([[100.0, 100.0], [99.5, 99.9], [0.4, 0.0], [50.0, 58.0]], PERCENT)
    low, high = cells.interval()
    assert (low >= 0).all() and (high <= 100).all() and high[0] == pytest.approx(100) and low[0] < 100
    assert (low < cells.mean).all() or low[2] == 0
    assert cells.variance[0] > 0


def test_errors_stay_positive():
    low, high = fit([[0.1, 0.5], [10.0, 30.0]], POSITIVE).interval()
    assert (low > 0).all() and high[1] / 20 == pytest.approx(20 / low[1])


def test_which_scale():
    assert scale_of("%", [3, 100]) is PERCENT and scale_of("%", [101]) is LINEAR
    assert scale_of("m", [0.1, math.nan]) is POSITIVE and scale_of("m", [0.0, 1.0]) is LINEAR


@pytest.mark.parametrize("equal", [90.0, 90.1, 90.2, 90.7, 0.1 + 0.2])
@pytest.mark.parametrize("unit", ["", "%"])
def test_seeds_that_agree_do_not_by_how_their_mean_is_rounded(equal, unit):
    """The variance of three times 90.1 is 3e-28 in double precision, that of three times 90 is zero."""
    others = [[92.0, 91.0, 93.0], [95.0, 94.0, 96.5]]
    scale = scale_of(unit, [90.0])
    first, second = (fit([[value] * 3, *others], scale) for value in (equal, 90.0))
    np.testing.assert_allclose(first.variance[1:], second.variance[1:], rtol=1e-9)
    assert first.dispersion[0] > 0


@pytest.mark.parametrize(("top", "rounded"), [(100.0, 100.00001), (100.0, 99.99999999999999), (0.0, -1e-7)])
def test_a_rounding_at_the_end_of_percentages_changes_nothing(top, rounded):
    others = [[98.0, 99.0, 98.5], [96.0, 97.5, 97.0], [60.0, 70.0, 65.0]]
    rows = [[[end] * 3, *others] for end in (top, rounded)]
    first, second = (fit(some, scale_of("%", np.concatenate(some))) for some in rows)
    assert first.scale is second.scale is PERCENT
    np.testing.assert_allclose(first.interval(), second.interval(), rtol=1e-3, atol=1e-4)


def test_one_seed_has_no_interval_and_changes_nothing():
    two, three = fit(VALUES[:2]), fit([*VALUES[:2], [5.0]])
    assert np.isnan(three.interval()[0][2]) and three.mean[2] == 5.0
    assert three.interval()[0][:2] == pytest.approx(two.interval()[0])


def test_what_is_not_finite_has_no_interval():
    cells = fit([[1.0, math.nan], [1.0, 2.0], [2.0, 2.5]])
    assert math.isnan(cells.mean[0]) and np.isnan(cells.interval()).any(0).tolist() == [True, False, False]
    assert cells.interval()[0][1:] == pytest.approx(fit([[1.0, 2.0], [2.0, 2.5]]).interval()[0])


def test_nothing_is_known_where_all_are_at_the_end():
    assert np.isnan(fit([[100.0, 100.0], [100.0, 100.0]], PERCENT).interval()).all()


@pytest.mark.parametrize("end", [0.0, 100.0])
def test_a_method_at_the_end_is_told_apart_as_one_next_to_it(end):
    """More seeds narrow it, and it reaches no less far than one of which a seed is a step away from the end."""
    below: list[float] = []
    for n in (3, 5, 10, 30):
        quantiles = stats.norm.ppf((np.arange(n) + 0.5) / n)
        others = [abs(100 - end - centre - spread * quantiles / quantiles.std(ddof=1)) for centre, spread in ((91, 3), (80, 6))]
        cells = fit([[end] * n, *others], PERCENT)
        below.append(np.subtract(*cells.interval()[::-1])[0])
        assert cells.df[0] > n - 2
        assert below[-1] > np.subtract(*fit([[end] * (n - 1) + [abs(end - 0.2)], *others], PERCENT).interval()[::-1])[0]
    assert below == sorted(below, reverse=True) and below[2] < 1
    assert fit([[end] * 5, [90.0, 91.0, 92.0, 93.0, 94.0]], PERCENT).interval()[0][1] == pytest.approx(
        fit([[90.0, 91.0, 92.0, 93.0, 94.0]], PERCENT).interval()[0][0]
    )


@pytest.mark.parametrize("top", [99.95, 99.98])
def test_percentages_of_which_many_are_100_are_covered(top):
    generator = np.random.default_rng(0)
    true = np.linspace(95, top, 5)
    values = generator.binomial(400, true[:, None] / 100, (400, 5, 5)) / 4
    low, high = from_moments(values.mean(-1), values.var(-1, ddof=1), 5, PERCENT).interval()
    assert ((low <= true) & (true <= high)).mean(0).min() > 0.92 and (values[:, -1] == 100).all(-1).mean() > 0.3


def test_no_values():
    with pytest.raises(ValueError, match="at least one value"):
        fit([[1.0], []])


def test_percentages_near_100_are_covered():
    """Accuracies of 98 to 99.8 % on 2000 samples, 5 methods, 3 seeds; truth is the binomial mean."""
    generator = np.random.default_rng(0)
    true = np.linspace(98, 99.8, 5)
    values = generator.binomial(2000, true[:, None] / 100, (400, 5, 3)) / 20
    low, high = from_moments(values.mean(-1), values.var(-1, ddof=1), 3, PERCENT).interval()
    covered = (low <= true) & (true <= high)
    assert 0.93 < covered.mean() < 0.985 and covered.mean(0).min() > 0.91
