"""Two methods side by side: only what both have, in the metric's direction, corrected over all that was compared."""

from __future__ import annotations

import pytest

from harness.analysis.compare import compare
from harness.analysis.leaderboard import build
from harness.analysis.statistics import paired
from harness.store.records import MetricSpec


@pytest.fixture
def sides(result, specs):
    """``sides(a, b)`` -> a board of two methods, by seed -> top1."""

    def make(a: dict[int, float], b: dict[int, float]):
        trials = [result(method, seed, {"top1": value}) for method, values in (("a", a), ("b", b)) for seed, value in values.items()]
        return build(trials, specs, [])

    return make


def test_only_seeds_of_both_count(sides):
    (row,) = compare(sides({0: 1.0, 1: 2.0, 7: 99.0}, {1: 2.5, 0: 1.0, 8: -99.0}), "a", "b")
    assert (row.a, row.b, row.difference, row.n) == (1.5, 1.75, -0.25, 2)
    assert compare(sides({0: 1.0}, {1: 1.0}), "a", "b") == []
    assert compare(sides({0: 1.0}, {0: 1.0}), "a", "c") == []


@pytest.mark.parametrize(("higher", "verdict"), [(True, "a"), (False, "b")])
def test_the_direction_decides_who_is_better(result, higher, verdict):
    specs = [MetricSpec("scenes", 1, "error", "m", higher, "Error", True)]
    trials = [result(method, seed, {"error": value + seed / 100}) for method, value in (("a", 9.0), ("b", 1.0)) for seed in range(4)]
    (row,) = compare(build(trials, specs, []), "a", "b")
    assert (row.metric, row.verdict) == ("error", verdict)


def test_a_verdict_holds_for_all_benchmarks_together(result, specs):
    """p = 0.03 alone would be a claim; beside a second benchmark it is 0.06 and is none."""
    a, b = (0.0, 0.0, 0.0, 0.0), (1.0, 2.1, 0.3, 1.6)
    alone = paired(a, b).p
    assert 0.025 < alone < 0.05

    def trials(benchmark: str):
        return [
            result(method, seed, {"top1": value}, benchmark=benchmark)
            for method, values in (("a", a), ("b", b))
            for seed, value in enumerate(values)
        ]

    both = [spec for spec in specs if spec.metric == "top1"]
    both += [MetricSpec("digits", 1, "top1", "%", True, "", True)]
    (row,) = compare(build(trials("scenes"), both, []), "a", "b")
    assert row.p == pytest.approx(alone) and row.verdict == "b"
    rows = compare(build(trials("scenes") + trials("digits"), both, []), "a", "b")
    assert [row.p for row in rows] == pytest.approx([2 * alone] * 2) and {row.verdict for row in rows} == {"no difference shown"}


def test_one_seed_is_no_test(sides):
    (row,) = compare(sides({0: 1.0}, {0: 2.0}), "a", "b")
    assert (row.p, row.ci95, row.verdict) == (None, None, "too few seeds")
