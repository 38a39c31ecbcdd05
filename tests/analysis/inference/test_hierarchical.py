"""Two methods over seeds and samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.hierarchical import compare_samples


def scores(generator, seeds=4, samples=300, seed_sd=0.3, sample_sd=1.0, shift=0.0):
    """a and b with seed, shared-sample and own-sample effects and noise."""
    seed = seed_sd * generator.normal(size=(2, seeds, 1))
    sample = generator.normal(size=(1, 1, samples)) + sample_sd * generator.normal(size=(2, 1, samples))
    both = seed + sample + generator.normal(size=(2, seeds, samples))
    return both[0] + shift, both[1]


def test_parts_are_those_of_the_model():
    """Var(difference per seed) = 2(0.3² + 1/300), from samples 2/300."""
    results = [compare_samples(*scores(np.random.default_rng(r)), draws=400) for r in range(60)]
    assert np.mean([r.seed_variance for r in results]) == pytest.approx(2 * (0.09 + 1 / 300), rel=0.25)
    assert np.mean([r.sample_variance for r in results]) == pytest.approx(2 / 300, rel=0.25)


def test_other_way_round():
    a, b = scores(np.random.default_rng(0), shift=0.5)
    one, other = compare_samples(a, b), compare_samples(b, a)
    assert one.difference.value == pytest.approx(-other.difference.value) and one.difference.p == pytest.approx(other.difference.p)
    assert one.difference.interval == pytest.approx(tuple(-x for x in other.difference.interval[::-1]))
    assert one.superiority.value == pytest.approx(1 - other.superiority.value) and one.standardized == pytest.approx(-other.standardized)


def test_samples_that_all_say_the_same_leave_the_seeds():
    seeds = np.random.default_rng(1).normal(size=(2, 5, 1)) * np.ones(40)
    found = compare_samples(*seeds)
    expected = stats.ttest_rel(seeds[0][:, 0], seeds[1][:, 0])
    assert found.difference.p == pytest.approx(expected.pvalue, rel=1e-3)
    assert found.difference.interval == pytest.approx(tuple(expected.confidence_interval()), rel=1e-3)
    assert found.sample_variance == pytest.approx(0, abs=1e-20)


def test_one_seed_speaks_of_samples_alone():
    a, b = scores(np.random.default_rng(2), seeds=1, samples=50)
    found, expected = compare_samples(a, b, draws=20000), stats.ttest_rel(a[0], b[0])
    assert found.seed_variance is None and found.seeds == 1
    assert found.difference.p == pytest.approx(expected.pvalue, abs=0.02)
    assert found.standardized == pytest.approx((a - b).mean() / (a - b).std(ddof=1))


def test_groups_widen():
    generator = np.random.default_rng(3)
    group = np.repeat(generator.normal(size=(1, 20)), 10, axis=1)
    a, b = scores(generator, samples=200, sample_sd=0.1)
    alone, grouped = (compare_samples(a + 2 * group, b, labels) for labels in (None, np.repeat(np.arange(20), 10)))
    assert grouped.sample_variance > 5 * alone.sample_variance and (grouped.groups, alone.groups) == (20, 200)


def test_a_moderated_variance_takes_the_place_of_two_seeds():
    a, b = scores(np.random.default_rng(4), seeds=2, seed_sd=0.05, shift=0.6)
    plain, moderated = compare_samples(a, b), compare_samples(a, b, moderated=(0.01, 6.0))
    assert moderated.difference.p < 0.01 < plain.difference.p and moderated.seed_variance == 0.01


def test_medians_are_compared_as_medians():
    a, b = scores(np.random.default_rng(5), shift=1.0)
    found = compare_samples(a, b, statistic=np.median, draws=300)
    assert found.difference.value == pytest.approx(np.median(a, axis=1).mean() - np.median(b, axis=1).mean())


def test_ties_count_half():
    same = compare_samples(np.ones((3, 20)), np.ones((3, 20)))
    assert same.superiority.value == 0.5 and same.difference.p == pytest.approx(1) and same.standardized == 0
    better = compare_samples(np.ones((3, 20)), np.zeros((3, 20)))
    assert better.superiority.value == 1 and better.difference.p == 0 and better.standardized == np.inf


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="seeds x samples"):
        compare_samples(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="not finite"):
        compare_samples(np.full((2, 3), np.nan), np.ones((2, 3)))
    with pytest.raises(ValueError, match="one group"):
        compare_samples(np.ones((2, 3)), np.ones((2, 3)), [7, 7, 7])


@pytest.mark.parametrize("seed_sd", [0.02, 0.5])
def test_false_claims_are_rare(seed_sd):
    """3 seeds; two Monte Carlo standard errors of 5 % are 3.1 %."""
    generator = np.random.default_rng(6)
    wrong = [compare_samples(*scores(generator, 3, 60, seed_sd, 0.5), draws=200).difference.p < 0.05 for _ in range(200)]
    assert np.mean(wrong) <= 0.08
