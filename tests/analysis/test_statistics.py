"""Statistics against scipy's own tests and against known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis.statistics import holm, paired, summarize


@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_interval_is_students(n):
    values = np.random.default_rng(n).normal(3.0, 2.0, n)
    summary = summarize(values)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert summary.ci95 == pytest.approx((low, high), rel=1e-12)
    assert summary.std == pytest.approx(values.std(ddof=1)) and summary.n == n


def test_interval_covers_the_truth_95_percent_of_the_time():
    draws = np.random.default_rng(0).normal(1.0, 1.0, (4000, 4))
    covered = sum(low <= 1.0 <= high for low, high in (summarize(d).ci95 for d in draws))
    assert covered / 4000 == pytest.approx(0.95, abs=0.012)


def test_one_value_has_no_interval():
    summary = summarize([5.0])
    assert (summary.mean, summary.std, summary.ci95, summary.n) == (5.0, None, None, 1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_not_dropped(bad):
    summary = summarize([1.0, bad, 2.0])
    assert math.isnan(summary.mean) and summary.ci95 is None and summary.n == 3
    assert paired([1.0, bad], [1.0, 2.0]).p is None


def test_no_values():
    with pytest.raises(ValueError, match="no values"):
        summarize([])
    with pytest.raises(ValueError, match="1 values against 2"):
        paired([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="2 values against 1"):
        paired([1.0, 2.0], [1.0])


def test_paired_is_scipys():
    generator = np.random.default_rng(1)
    a, b = generator.normal(0.3, 1, 12), generator.normal(0, 1, 12)
    expected = stats.ttest_rel(a, b)
    result = paired(a, b)
    assert result.p == pytest.approx(expected.pvalue)
    assert result.ci95 == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert result.difference == pytest.approx((a - b).mean())


def test_paired_without_spread():
    assert paired([1.0, 2.0], [1.0, 2.0]).p == 1.0
    assert paired([2.0, 3.0], [1.0, 2.0]).p == paired([1.0, 2.0], [2.0, 3.0]).p == 0.0
    assert paired([1.0], [2.0]).p is None


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1, and never falling
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.8, 0.6]) == [1.0, 1.0], "no probability is larger"
    assert holm([]) == []
