"""Bootstrap over groups of test samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.samples import LEAST_GROUPS, Clusters, sample_interval


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_many_samples_agree_with_scipys_bca(statistic):
    scores = np.random.default_rng(0).exponential(size=400)
    found = sample_interval(scores, statistic=statistic, draws=10000)
    expected = stats.bootstrap((scores,), statistic, n_resamples=10000, method="BCa", rng=1).confidence_interval
    assert found.value == statistic(scores)
    assert found.interval == pytest.approx((expected.low, expected.high), abs=0.015)


def test_few_samples_are_wider_than_scipys():
    scores = np.random.default_rng(1).normal(size=10)
    low, high = sample_interval(scores, draws=10000).interval
    expected = stats.bootstrap((scores,), np.mean, n_resamples=10000, method="BCa", rng=1).confidence_interval
    assert 1.1 < (high - low) / (expected.high - expected.low) < 1.35


@pytest.mark.parametrize("statistic", [np.mean, np.median, lambda scores, axis: stats.trim_mean(scores, 0.1, axis=axis)])
def test_copies_within_groups_add_nothing(statistic):
    scores = np.random.default_rng(2).normal(size=30)
    once = sample_interval(scores, statistic=statistic)
    copied = sample_interval(np.repeat(scores, 5), np.repeat(np.arange(30), 5), statistic)
    assert copied.interval == pytest.approx(once.interval, abs=0.05) and (copied.samples, copied.groups) == (150, 30)


def test_labels_and_order_do_not_matter():
    generator = np.random.default_rng(3)
    labels, scores = np.repeat(np.array(["kitchen", "office", "attic", "cellar"] * 3), 4), generator.normal(size=48)
    labels = np.char.add(labels, np.repeat(np.arange(3), 16).astype(str))
    order = np.argsort(labels, kind="stable")
    one, other = sample_interval(scores, labels), sample_interval(scores[order], labels[order])
    assert one.interval == pytest.approx(other.interval) and one.groups == other.groups == 12


def test_unequal_groups_are_drawn_whole():
    clusters = Clusters.of([1, 0, 1, 2, 1], 5)
    assert sorted(clusters.samples(np.array([1, 0])).tolist()) == [0, 1, 2, 4]
    assert clusters.samples(np.array([2, 2, 0])).tolist() == [3, 3, 1]
    drawn = clusters.resample(np.array([[1.0, 5.0, 1.0, 9.0, 1.0]]), np.mean, draws=500)
    again = clusters.resample(np.array([[1.0, 5.0, 1.0, 9.0, 1.0]]), lambda scores, axis: scores.mean(axis=axis), draws=500)
    assert drawn == pytest.approx(again) and set(np.unique(drawn.round(6))) >= {1.0, 5.0, 9.0}


def test_all_at_a_bound():
    found = sample_interval(np.ones(50), bounds=(0, 1))
    assert found.interval == pytest.approx((stats.binomtest(50, 50).proportion_ci().low, 1.0))
    assert sample_interval(np.zeros(50), bounds=(0, 1)).interval == pytest.approx((0.0, stats.binomtest(0, 50).proportion_ci().high))
    assert sample_interval(np.ones(50)).interval == (1.0, 1.0)


def test_no_interval():
    assert sample_interval(np.arange(20.0), np.arange(20) % (LEAST_GROUPS - 1)).interval is None
    assert sample_interval([1.0, np.nan] * 20).interval is None


def test_what_cannot_be_read():
    with pytest.raises(ValueError, match="one score per sample"):
        sample_interval([[1.0]])
    with pytest.raises(ValueError, match="3 samples but group labels of shape"):
        sample_interval([1.0, 2.0, 3.0], [0, 1])


def test_the_truth_is_covered():
    """80 % accuracy over 60 groups of 3 that agree; three Monte Carlo standard errors are 4.6 %."""
    generator = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        scores = np.repeat((generator.random(60) < 0.8) * 1.0, 3)
        low, high = sample_interval(scores, np.repeat(np.arange(60), 3), bounds=(0, 1), draws=300).interval
        hits += low <= 0.8 <= high
    assert hits / 200 > 0.9
