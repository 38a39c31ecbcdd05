"""Mixtures of t, against integrals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from harness.analysis.inference.mixtures import Mixture, sum_of_two, t_quantile, two_sided


def exact_tail(c, a, df_a, b, df_b):
    """P(|√a T + √b T'| > c) by integration over T'."""

    def inner(x):
        return stats.t.pdf(x, df_b) * (stats.t.sf((c - b**0.5 * x) / a**0.5, df_a) + stats.t.cdf((-c - b**0.5 * x) / a**0.5, df_a))

    cuts = [-np.inf, -50, 0, 50, np.inf]
    return sum(integrate.quad(inner, low, high, limit=300)[0] for low, high in pairwise(cuts))


@pytest.mark.parametrize("parts", [(1, 1, 1, 1), (1, 2, 1, 2), (1, 1.5, 30, 8), (1, 20, 3, 1.2), (1, 300, 1, 300)])
def test_sum_of_two(parts):
    total = sum_of_two(*parts)
    for factor in (1, 3, 10):
        c = factor * np.sqrt(parts[0] + parts[2])
        assert total.tail(c) == pytest.approx(exact_tail(c, *parts), rel=0.01, abs=1e-12)


def test_sum_with_nothing_is_the_other():
    total = sum_of_two(4.0, 3.0, 0.0, 7.0)
    assert total.tail(5.0) == pytest.approx(2 * stats.t.sf(2.5, 3), rel=1e-3)
    assert total.quantile(0.05) == pytest.approx(2 * t_quantile(3, 0.05), rel=1e-3)


def test_two_nothings():
    nothing = sum_of_two(0.0, 1.0, 0.0, 1.0)
    assert nothing.tail(0.0) == pytest.approx(1) and nothing.tail(1e-9) == 0 and nothing.quantile(0.05) == 0
    assert nothing.matched()[0] == 0


@pytest.mark.parametrize("df", [0.6, 1, 4, 50])
def test_one_component_is_matched_by_itself(df):
    single = Mixture(np.array([2.0]), np.array([df]), np.array([1.0]))
    variance, matched = single.matched()
    assert variance == pytest.approx(4.0, rel=0.02) and matched == pytest.approx(df, rel=0.02)
    assert single.tail(3.0) == pytest.approx(2 * stats.t.sf(1.5, df))


@pytest.mark.parametrize("tail", [0.5, 0.05, 1e-4])
def test_quantiles_invert_tails(tail):
    generator = np.random.default_rng(0)
    mixture = Mixture(generator.gamma(0.3, 1, (4, 30)) + 1e-6, generator.uniform(0.5, 40, (4, 30)), generator.dirichlet(np.ones(30), 4))
    assert mixture.tail(mixture.quantile(tail)) == pytest.approx(tail, rel=1e-6)


def test_two_sided():
    assert two_sided([0, 0, 1, 2], [0, 1, 0, 4], 5) == pytest.approx([1, 1, 0, 2 * stats.t.sf(1, 5)])
