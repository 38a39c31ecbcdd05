"""Shrunken variances against limma and their limits."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.inference.mixtures import t_quantile
from harness.analysis.inference.moderation import Prior, fit_moments, moderate, trigamma_inverse

VARIANCES = [0.35, 0.6, 4.2, 0.0081, 1.3, 22.0]
DF = [1, 2, 4, 1, 2, 1]


def half_width(result):
    return t_quantile(result.df, 0.05) * np.sqrt(result.variance)


def test_moments_are_limmas():
    """fitFDist and squeezeVar of limma 3.54.1."""
    prior = fit_moments(VARIANCES, DF)
    assert prior.variance == pytest.approx(0.675916834525) and prior.df == pytest.approx(1.23148124134)
    squeezed, df = prior.squeeze(VARIANCES, DF)
    expected = [0.529862801675, 0.628931053791, 3.370437183851, 0.376646187676, 1.062168908336, 10.231938534574]
    assert squeezed == pytest.approx(expected) and df == pytest.approx(np.array(DF) + prior.df)


def test_trigamma_inverse_is_limmas():
    expected = [100.499166681943, 2.459952948352, 0.675478105281, 0.160805597503]
    assert trigamma_inverse([0.01, 0.5, 3, 40]) == pytest.approx(expected)


def test_variances_that_agree_are_pooled():
    prior = fit_moments([0.9, 1.1, 1.0, 0.95], 2)
    assert prior == Prior(np.inf, pytest.approx(0.9875))
    squeezed, df = prior.squeeze([0.9, 1.1, 1.0, 0.95], 2)
    assert squeezed == pytest.approx(0.9875) and df == pytest.approx(8)


def test_without_a_prior_each_variance_is_its_own():
    squeezed, df = Prior(0.0, 5.0).squeeze(VARIANCES, DF)
    assert squeezed == pytest.approx(VARIANCES) and df == pytest.approx(DF)
    assert fit_moments([3.0], [2]).df == 0


def test_pooled_degrees_of_freedom_are_at_most_all():
    assert Prior(100.0, 1.0).squeeze([1.0, 1.0], 1)[1] == pytest.approx(2)


@pytest.mark.parametrize("df", [1, 2, 9])
def test_one_cell_alone_has_students_interval(df):
    assert half_width(moderate([5.0], df)) == pytest.approx(t_quantile(df, 0.05) * np.sqrt(5.0), rel=0.03)


def test_many_cells_that_agree_lend_degrees_of_freedom():
    result = moderate(np.random.default_rng(0).chisquare(2, 40) / 2, 2)
    assert np.median(result.df) > 5 and result.variance == pytest.approx(1.0, abs=0.6)


def test_variances_that_have_nothing_in_common_are_kept():
    own = 4.0 ** np.arange(-4, 5)
    result = moderate(own, 20)
    assert half_width(result) == pytest.approx(t_quantile(20, 0.05) * np.sqrt(own), rel=0.07)


def test_a_variance_of_nothing_is_floored():
    """Two seeds that agree to the last digit are not taken for a method without noise."""
    assert half_width(moderate([1.0, 1.2, 0.8, 0.0], 1))[3] > 0.5


def test_a_method_that_fails_at_times_stays_apart():
    calm = np.random.default_rng(1).chisquare(2, 10) / 2
    before, after = moderate(calm, 2), moderate(np.append(calm, 1000.0), 2)
    assert after.apart[-1] > 0.5 > after.apart[:-1].max()
    assert half_width(after)[:-1] == pytest.approx(half_width(before), rel=0.25)
    assert half_width(after)[-1] > 0.6 * t_quantile(2, 0.05) * np.sqrt(1000)


def test_order_and_unit_do_not_matter():
    generator = np.random.default_rng(2)
    order = generator.permutation(6)
    result = moderate(VARIANCES, DF)
    permuted = moderate(np.array(VARIANCES)[order], np.array(DF)[order])
    assert permuted.variance == pytest.approx(result.variance[order]) and permuted.df == pytest.approx(result.df[order])
    scaled = moderate(np.array(VARIANCES) * 1e-6, DF)
    assert scaled.variance == pytest.approx(result.variance * 1e-6) and scaled.df == pytest.approx(result.df)


def test_leading_axes_are_separate():
    batch = np.random.default_rng(3).chisquare(1, (3, 4))
    together = moderate(batch, 1)
    for row, variance, df in zip(batch, together.variance, together.df, strict=True):
        alone = moderate(row, 1)
        assert variance == pytest.approx(alone.variance) and df == pytest.approx(alone.df)


def test_nothing_varies():
    assert (moderate([0.0, 0.0], 1).variance == 0).all()


def test_a_cell_without_seeds_takes_what_the_others_say():
    others = moderate([1.0, 1.1, 0.9], [5, 5, 5])
    result = moderate([1.0, 1.1, 0.9, 123.0], [5, 5, 5, 0])
    assert half_width(result)[:3] == pytest.approx(half_width(others))
    assert half_width(result)[3] > half_width(result)[:3].max()


def test_dependent_cells_count_less():
    once, half = moderate([1.0, 1.2, 0.8, 1.1], 2), moderate([1.0, 1.2, 0.8, 1.1], 2, weight=0.5)
    assert (half.df < once.df).all()


@pytest.mark.parametrize(("spread", "seeds"), [(0.0, 2), (0.0, 5), (0.7, 2), (0.7, 5)])
def test_intervals_cover_the_truth(spread, seeds):
    """Equal and log-normally spread standard deviations, 5 methods; three Monte Carlo standard errors are 1.5 %."""
    generator = np.random.default_rng(4)
    values = generator.normal(size=(400, 5, seeds)) * np.exp(spread * generator.normal(size=(400, 5, 1)))
    result = moderate(values.var(-1, ddof=1), seeds - 1)
    covered = np.abs(values.mean(-1)) <= half_width(result) / np.sqrt(seeds)
    assert 0.93 < covered.mean() < 0.98
