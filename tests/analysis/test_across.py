"""Two methods over benchmarks of one unit."""

from __future__ import annotations

import pytest
from scipy import stats

from harness.analysis.inference.signed_rank import signed_rank
from harness.analysis.leaderboard import build
from harness.analysis.overall.across import across
from harness.analysis.overall.summary import overall
from harness.store.records import MetricSpec


def test_only_one_unit_counts_and_the_direction_is_the_metrics(result):
    a, b = [80.0, 70.0, 60.0, 75.0, 90.0, 66.0], [78.0, 71.0, 55.0, 70.0, 80.0, 60.0]
    specs = [MetricSpec(f"b{index}", 1, "top1", "%", index > 0, "", True) for index in range(6)]
    specs.append(MetricSpec("rooms", 1, "error", "m", False, "", True))
    trials = [
        result(method, seed, {"top1": value + seed / 10}, benchmark=f"b{index}")
        for method, values in (("a", a), ("b", b))
        for index, value in enumerate(values)
        for seed in range(2)
    ]
    trials += [result(method, seed, {"error": 1.0 + seed}, benchmark="rooms") for method in "ab" for seed in range(2)]
    (table,) = overall(build(trials, specs, []), ["a", "b"]).tables
    assert len(table.benchmarks) == 7
    (pair,) = across(table, rope=1.5)
    left, right = ([-some[0], *some[1:]] for some in (a, b))
    assert (pair.method_a, pair.benchmarks, pair.unit) == ("a", 6, "%")
    assert pair.p == pytest.approx(stats.wilcoxon(left, right).pvalue)
    expected = signed_rank(left, right, 1.5)
    assert (pair.practical.a, pair.practical.b) == pytest.approx((expected.a, expected.b), abs=0.02)
    assert across(table)[0].practical is None
