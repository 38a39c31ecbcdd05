"""One benchmark's views: the floor at its rank, who failed behind it, parts of the test set, and the front against a cost."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from harness.analysis.board import Board
from harness.analysis.claims.published import Beside, Number
from harness.analysis.leaderboard import build
from harness.analysis.views import benchmark
from harness.outcome import COSTS, Cost
from harness.store.records import Floor, MetricSpec

SPECS = [
    MetricSpec("scenes", 1, "top1", "%", True, "Top-1 accuracy", True, per_scene=True),
    MetricSpec("scenes", 1, "error", "m", False, "Error", False),
    MetricSpec("scenes", 1, "box@0.3", "%", True, "Boxes at 0.3", False),
    MetricSpec("scenes", 1, "box@0.5", "%", True, "Boxes at 0.5", False),
]
FLOORS = [Floor("scenes", 1, "d1", "top1", 60.0), Floor("scenes", 1, "d1", "error", 2.0)]


@pytest.fixture
def board(result, trial_row) -> Board:
    def numbers(top1):
        return {"top1": top1, "error": 1 / top1, "box@0.3": top1, "box@0.5": top1 / 2, "top1/cat": top1 - 1, "top1/dog": top1 + 1}

    done = [result(name, seed, numbers(level + seed)) for name, level in (("gem", 80.0), ("gap", 50.0), ("lse", 79.0)) for seed in (0, 1)]
    done.append(result("gem", 0, numbers(99.0), overrides=("schedule.epochs=1",)))
    about = {"plugins": {"lse": "source"}, "config_digest": "config-lse"}
    waiting = [trial_row("how", 0, kind="out-of-memory"), trial_row("lse", 2, **about, kind="crash"), trial_row("x", 0, benchmark="other")]
    return build(done, SPECS, FLOORS, unfinished=waiting)


def test_the_table_has_the_floor_at_its_rank_and_failures_at_its_end(board):
    first, second = benchmark.tables(board, "scenes")
    assert [(line.kind, line.method, line.seeds) for line in first.lines] == [
        ("method", "gem", "2"),
        ("method", "lse", "2/3"),
        ("floor", "floor", ""),
        ("method", "gap", "2"),
        ("missing", "how", "0/1"),
    ]
    standing = board.standing(first.rows[0])
    assert [line.best for line in first.lines] == [line.method in standing.best for line in first.lines]
    assert [line.ranks for line in first.lines] == ["1–2", "1–2", "", "3", ""] and first.sentence == standing.sentence()
    assert [line.mean for line in first.lines] == [80.5, 79.5, 60.0, 50.5, None]
    assert first.lines[1].remarks == "1 failed: crash" and first.lines[3].remarks == "below the floor"
    assert first.lines[4].remarks == "1 failed: out-of-memory" and (first.axis, first.name) == (
        "top1 (%), higher is better",
        "as registered",
    )
    assert list(first.lines[0].cost) == [quantity.title for quantity in COSTS.values()] and first.lines[0].cost["parameters (M)"] == 1.23
    assert second.name == "--set schedule.epochs=1" and second.sentence == ""
    (other,) = benchmark.tables(board, "other")
    assert (other.metric, [line.method for line in other.lines]) == ("", ["x"])
    assert benchmark.tables(board, "unknown") == []


def test_published_numbers_stand_beside_their_metric(board):
    number = Number(2, "Table 1", "gem", "ImageNet", "", "ResNet", "", "top-1", 75.5, "%", True)
    beside = [Beside("scenes", "gem", metric, number, "", None) for metric in ("top1", "error")]
    lines = benchmark.tables(board, "scenes", [*beside, replace(beside[0], benchmark="other", method="lse")])[0].lines
    assert [[some.published.value for some in line.published] for line in lines] == [[75.5], [], [], [], []]


def test_parts_and_thresholds_are_heat_maps(board):
    table = benchmark.tables(board, "scenes")[0]
    measured = benchmark.metrics(board, table.block)
    assert [some.metric for some in measured] == ["top1", "error", "box@0.3", "box@0.5", "top1/cat", "top1/dog"]
    assert (measured[1].floor, [*measured[1].rows]) == (2.0, ["gem", "lse", "gap"])
    box, top1 = benchmark.parts(measured, "classification")
    assert (box.metric, box.of, box.parts) == ("box", "threshold", ("0.3", "0.5"))
    assert (top1.metric, top1.of, top1.parts, top1.methods) == ("top1", "class", ("cat", "dog"), ("gem", "lse", "gap"))
    assert {name: row.mean for name, row in top1.values.items()}["lse", "dog"] == 80.5
    assert benchmark.parts(measured[:3], "classification") == [], "one threshold is no heat map"


def test_the_front_is_who_no_other_beats(result):
    """Against a search over all pairs, for both directions, with costs and means that are equal or unknown."""
    rng = random.Random(3)
    for higher in (True, False):
        for _ in range(30):
            spec = [MetricSpec("scenes", 1, "top1", "", higher, "", True)]
            known = {f"m{i}": (rng.choice([1.0, 2.0, 3.0, 4.0]), rng.choice([1e6, 2e6, 3e6, None])) for i in range(6)}
            trials = [result(name, 0, {"top1": mean}, cost=Cost(params=params)) for name, (mean, params) in known.items()]
            points = benchmark.pareto(build(trials, spec, []).rows, "params")
            sign = 1 if higher else -1
            priced = {name: (sign * mean, params / 1e6) for name, (mean, params) in known.items() if params is not None}
            beaten = {
                name
                for name, (merit, cost) in priced.items()
                if any(m >= merit and c <= cost and (m, c) != (merit, cost) for m, c in priced.values())
            }
            assert {point.method: point.front for point in points} == {name: name not in beaten for name in priced}
            assert [point.cost for point in points] == sorted(cost for _, cost in priced.values())
    assert benchmark.pareto([], "params") == []


def test_more_seeds_show_smaller_differences(board):
    standing = benchmark.tables(board, "scenes")[0].standing
    found = benchmark.resolution(standing, most=6)
    assert [some.seeds for some in found] == [2, 3, 4, 5, 6]
    assert [some.least for some in found] == sorted((standing.shows(count) for count in range(2, 7)), reverse=True)
