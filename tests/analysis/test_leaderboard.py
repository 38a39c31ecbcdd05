"""Only what may be compared is averaged, and the floor stands beside it."""

from __future__ import annotations

import math

import pytest

from harness.analysis.leaderboard import JSON_FIELDS, as_json, build
from harness.analysis.statistics import summarize


def test_rows_are_benchmark_x_method_x_metric(result, specs, floors):
    results = [
        result(method, seed, {"top1": base + seed, "error": 1.0, "error/kitchen": 2.0})
        for method, base in (("gap", 50.0), ("gem", 60.0))
        for seed in (0, 1)
    ]
    board = build(results, specs, floors)
    assert [(row.method, row.metric) for row in board.rows] == [
        (method, metric) for method in ("gem", "gap") for metric in ("top1", "error", "error/kitchen")
    ]
    first = board.rows[0]
    assert (first.mean, first.n, first.floor, first.below_floor) == (60.5, 2, 12.5, False)
    assert first.ci95 == summarize([60.0, 61.0]).ci95
    assert (first.cost.params, first.cost.latency_ms, first.cost.peak_memory_mb) == (1_234_567, 4.5, 101.0)
    assert first.primary and not board.rows[1].primary and board.rows[2].floor is None
    assert board.notes == []
    plain = as_json(board)["rows"]
    assert all(list(row) == JSON_FIELDS for row in plain)


def test_best_method_first_in_the_metrics_own_direction(result, specs, floors):
    lower = [spec for spec in specs if spec.metric == "error"]
    lower = [type(lower[0])("scenes", 1, "error", "m", False, "", True)]
    results = [result(method, 0, {"error": value}) for method, value in (("a", 3.0), ("b", math.nan), ("c", 1.0))]
    board = build(results, lower, floors)
    assert [row.method for row in board.rows] == ["c", "a", "b"]
    assert [row.below_floor for row in board.rows] == [False, True, False]


def test_versions_never_mix(result, specs, floors):
    results = [result(version=1, metrics={"top1": 10.0}), result(version=2, metrics={"top1": 90.0})]
    newest = build(results, specs, floors)
    assert [row.mean for row in newest.rows] == [90.0] and "--all-versions" in newest.notes[0]
    both = build(results, specs, floors, all_versions=True)
    assert [(row.version, row.mean) for row in both.rows] == [(2, 90.0), (1, 10.0)]
    assert [row["benchmark"] for row in as_json(both, all_versions=True)["rows"]] == ["scenes@2", "scenes@1"]


@pytest.mark.parametrize(
    ("change", "word"), [({"dataset": "d2"}, "datasets"), ({"environment_digest": "e2"}, "numerics")], ids=["dataset", "numerics"]
)
def test_datasets_and_numerics_never_mix(result, specs, floors, change, word):
    results = [result(seed=0, metrics={"top1": 10.0}), result(seed=1, metrics={"top1": 20.0}, **change)]
    board = build(results, specs, floors, numerics={"e1": 1, "e2": 2})
    assert [(row.mean, row.n) for row in board.rows] == [(20.0, 1)]
    assert word in board.notes[0]


def test_settings_never_mix(result, specs, floors):
    official = [result(seed=seed, metrics={"top1": 80.0}) for seed in (0, 1)]
    smoke = [result(seed=0, metrics={"top1": 10.0}, config_digest="one epoch", overrides=("schedule.epochs=1",))]
    board = build(official + smoke, specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(80.0, 2)] and "2 settings" in board.notes[0]
    edited = [result(seed=0, metrics={"top1": 85.0}, plugins={"gap": "new source"})]  # the old source is no more, however many seeds it has
    board = build(official + edited, specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(85.0, 1)] and "run last as registered" in board.notes[0]


def test_what_set_changed_stands_behind_what_is_registered_and_is_named(result, specs, floors):
    longer = [result(seed=seed, metrics={"top1": 95.0}, config_digest="longer", overrides=("schedule.epochs=99",)) for seed in (0, 1)]
    board = build(longer, specs, floors)
    assert [row.mean for row in board.rows] == [95.0] and "--set schedule.epochs=99, not as registered" in board.notes[0]
    board = build([*longer, result(seed=0, metrics={"top1": 80.0})], specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(80.0, 1)] and "as registered" in board.notes[0]


def test_a_seed_measured_twice_counts_once(result, specs, floors):
    board = build([result(metrics={"top1": 1.0}), result(metrics={"top1": 2.0})], specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(2.0, 1)]


def test_a_metric_that_one_seed_lacks_is_not_a_number(result, specs, floors):
    board = build([result(seed=0, metrics={"top1": 1.0, "error": 1.0}), result(seed=1, metrics={"top1": 2.0})], specs, floors)
    error = next(row for row in board.rows if row.metric == "error")
    assert math.isnan(error.mean) and error.ci95 is None and error.n == 2 and not error.below_floor


def test_empty():
    assert build([], [], []).rows == []
