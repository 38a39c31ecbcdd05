"""Reliability of an order, intervals of ranks and letters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.cells import fit
from harness.analysis.inference.pairs import pairwise
from harness.analysis.inference.ranking import average_ranks, letter, letters, rank_intervals, reliability


def test_letters():
    """a: 0 1 2, b: 1 2 3, c: 4 — the best has an a, the middle two letters."""
    differ = np.zeros((5, 5), bool)
    for i, j in [(0, 3), (0, 4), (1, 4), (2, 4), (3, 4)]:
        differ[i, j] = differ[j, i] = True
    assert letters(range(5), differ) == ["a", "ab", "ab", "b", "c"]
    assert letters([4, 3, 2, 1, 0], differ) == ["c", "bc", "bc", "b", "a"]
    assert letters(range(3), np.zeros((3, 3))) == ["a", "a", "a"]
    assert letters(range(30), ~np.eye(30, dtype=bool))[25:28] == ["z", "A", "B"]
    many = [letter(number) for number in range(5000)]
    assert len({*many}) == 5000 and all(len(some) == 1 and some.isalpha() for some in many)


@pytest.mark.parametrize("seed", range(5))
def test_sharing_a_letter_is_not_being_told_apart(seed):
    generator = np.random.default_rng(seed)
    differ = np.triu(generator.random((9, 9)) < generator.random(), 1)
    differ |= differ.T
    display = [set(text) for text in letters(generator.permutation(9), differ)]
    for i, j in itertools.combinations(range(9), 2):
        assert bool(display[i] & display[j]) != differ[i, j]


def test_rank_intervals_hold_what_is_told_apart():
    values = [[90.0, 90.2, 89.9], [80.0, 80.1, 79.8], [80.2, 80.0, 79.7], [10.0, 10.3, 9.9]]
    cells = fit(values)
    ranks = rank_intervals(cells.mean, pairwise(cells))
    assert ranks.tolist() == [[1, 1], [2, 3], [2, 3], [4, 4]]
    assert rank_intervals(cells.mean, pairwise(cells), higher_is_better=False).tolist() == [[4, 4], [2, 3], [2, 3], [1, 1]]


def test_reliability_without_noise_and_without_differences():
    perfect = reliability([1.0, 2.0, 3.0], 1e-12, 3, seeds=1)
    assert perfect.icc == pytest.approx(1) and perfect.tau == pytest.approx(1)
    none = reliability([1.0, 1.01, 0.99], 1.0, 3, seeds=3)
    assert (none.icc, none.tau) == (0, 0)
    assert reliability([1.0, 1.0], 0.0, 2, seeds=2).tau == 0


def test_reliability_is_what_replications_show():
    """20 methods; τ of two replications averaged over 300 pairs has a standard error under 0.01."""
    generator = np.random.default_rng(0)
    true = generator.normal(0, 2, 20)
    for seeds in (2, 10):

        def means(count, seeds=seeds):
            return true + generator.normal(size=(count, 20)) / np.sqrt(seeds)

        expected = np.mean([stats.kendalltau(a, b).statistic for a, b in zip(means(300), means(300), strict=True)])
        said = np.mean([reliability(row, 1.0, seeds, seeds).tau for row in means(300)])
        assert said == pytest.approx(expected, abs=0.03)


def test_more_seeds_rank_more_reliably():
    found = [reliability([1.0, 2.0, 2.5, 4.0], 1.0, 3, seeds) for seeds in (2, 5, 10)]
    assert found[0].tau < found[1].tau < found[2].tau and found[0].icc < found[2].icc


def test_no_ranking_of_one():
    with pytest.raises(ValueError, match="two methods"):
        reliability([1.0, np.nan], [1.0, 1.0], 2, 2)


def test_ranks_are_those_of_scipy():
    values = np.random.default_rng(0).integers(-3, 4, (50, 2, 7)).astype(float)
    assert np.array_equal(average_ranks(values), stats.rankdata(values, axis=-1))


def test_letters_are_those_of_all_columns_held_against_each_other():
    """Insert and absorb as Piepho has it: after each pair every column is held against every other one."""
    random = np.random.default_rng(0)
    for _ in range(40):
        count = int(random.integers(2, 12))
        differ = np.triu(random.random((count, count)) < random.random(), 1)
        differ |= differ.T
        columns = [frozenset(range(count))]
        for i, j in itertools.combinations(range(count), 2):
            if differ[i, j]:
                split = {part for column in columns for part in ((column - {i}, column - {j}) if {i, j} <= column else (column,))}
                columns = [column for column in split if not any(column < other for other in split)]
        expected = [sum(method in column for column in columns) for method in range(count)]
        found = letters(range(count), differ)
        assert [len(some) for some in found] == expected
        alike = [[bool({*found[i]} & {*found[j]}) for j in range(count)] for i in range(count)]
        assert np.array_equal(alike, ~differ | np.eye(count, dtype=bool))
