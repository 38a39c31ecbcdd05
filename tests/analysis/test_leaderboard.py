"""Only what may be compared is averaged, and the floor stands beside it."""

from __future__ import annotations

import math

import pytest

from harness.analysis.board_json import JSON_FIELDS, as_json
from harness.analysis.inference import cells
from harness.analysis.inference.scales import PERCENT
from harness.analysis.leaderboard import build
from harness.analysis.statistics import summarize
from harness.outcome import Cost


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
    low, high = cells.fit([[60.0, 61.0], [50.0, 51.0]], PERCENT).interval()
    assert first.ci95 == (low[0], high[0]) and first.interval == "moderated" and board.rows[3].ci95 == (low[1], high[1])
    assert board.rows[1].interval == "t", "strength is borrowed for the metric that ranks"
    assert (first.cost.params, first.cost.latency_ms, first.cost.peak_memory_mb) == (1_234_567, 4.5, 101.0)
    assert first.primary and not board.rows[1].primary and board.rows[2].floor is None
    assert board.notes == []
    plain = as_json(board)["rows"]
    assert all(list(row) == JSON_FIELDS for row in plain)


def test_students_interval_stays_where_values_can_be(result, specs, floors):
    results = [result(method, seed, {"top1": value + seed}) for method, value in (("gap", 50.0), ("gem", 98.5)) for seed in (0, 1)]
    gem, gap = build(results, specs, floors, moderated=False).rows
    low, high = summarize([98.5, 99.5]).ci95
    assert (gem.ci95, gem.interval) == ((low, 100.0), "t") and high > 100
    assert gap.ci95 == pytest.approx(summarize([50.0, 51.0]).ci95)


def test_best_method_first_in_the_metrics_own_direction(result, specs, floors):
    lower = [spec for spec in specs if spec.metric == "error"]
    lower = [type(lower[0])("scenes", 1, "error", "m", False, "", True)]
    results = [result(method, 0, {"error": value}) for method, value in (("a", 3.0), ("b", math.nan), ("c", 1.0))]
    board = build(results, lower, floors)
    assert [row.method for row in board.rows] == ["c", "a", "b"]
    assert [row.below_floor for row in board.rows] == [False, True, False]


def test_times_are_those_of_the_one_machine_that_timed_most_methods(result, specs, floors):
    quick, slow = {"cpu": "EPYC", "cpu_isa": "avx2 avx512f", "device": "cpu"}, {"cpu": "EPYC", "cpu_isa": "avx2", "device": "cpu"}
    busy = {"rough": "latency_ms"}

    def at(method, seed, ms, environment, **more):
        return result(method, seed, cost=Cost(params=5, latency_ms=ms), environment_digest=environment, **more)

    found = [
        *(at("gap", 0, 1.0, "q"), at("gap", 1, 4.0, "s"), at("gap", 2, 4.2, "s2")),  # the same processor, other packages
        *(at("gem", 0, 4.1, "s"), at("gem", 1, 9.0, "s", labels=busy)),
        *(at("simpool", 0, 1.1, "q"), at("simpool", 1, 1.2, "q")),
        at("how", 0, 8.0, "s", labels=busy),
    ]
    environments = {"q": quick, "s": slow, "s2": slow | {"packages": {"torch": "2"}}}
    board = build(found, specs, floors, environments=environments)
    assert {row.method: (row.cost.latency_ms, row.rough) for row in board.rows if row.primary} == {
        "gap": (4.1, ()),
        "gem": (4.1, ()),
        "simpool": (None, ()),
        "how": (8.0, ("latency_ms",)),
    }
    assert all(row.cost.params == 5 for row in board.rows)
    assert board.notes[0].endswith("Times are those on EPYC with AVX2 alone.")
    one = build([some for some in found if some.environment_digest == "q"], specs, floors, environments=environments)
    assert {row.method: row.cost.latency_ms for row in one.rows} == {"gap": 1.0, "simpool": pytest.approx(1.15)}
    assert build(found, specs, floors).rows[0].cost.latency_ms is not None, "of machines that are not known all count"


def test_a_board_says_where_it_ran_unless_that_was_one_processor(result, specs, floors):
    epyc = {"cpu": "AMD EPYC", "cpu_isa": "sse4_2 avx avx2 fma", "device": "cpu"}
    wide = epyc | {"cpu_isa": "sse4_2 avx avx2 fma avx512f"}
    h100 = wide | {"device": "cuda:0", "device_name": "NVIDIA H100"}
    results = [result("gap", 0), result("gap", 1), result("gap", 2, environment_digest="e2")]

    def notes(**environments):
        return build(results, specs, floors, environments=environments).notes

    assert notes() == notes(e1=epyc) == notes(e1=epyc, e2=epyc | {"packages": {"torch": "2"}}) == []
    (told,) = notes(e1=epyc, e2=wide)
    assert told.startswith("scenes v1: trials ran on AMD EPYC with AVX2 (2), AMD EPYC with AVX-512 (1). Digits differ")
    on_cpu, on_gpu = notes(e1=epyc, e2=h100)
    assert on_cpu == "scenes v1: ran on AMD EPYC with AVX2."
    assert on_gpu.startswith("scenes v1 · ") and on_gpu.endswith(": ran on NVIDIA H100.")
    one, two = ({"packages": {"torch": torch, "numpy": numpy, "python": numpy}} for torch, numpy in (("2.13.0", "2.4"), ("2.11.0", "1.26")))
    (told,) = notes(e1=epyc | one, e2=epyc | two)
    assert told.startswith("scenes v1: trials ran with torch 2.13.0 (2), 2.11.0 (1) and several versions of numpy. What")
    assert notes(e1=epyc | one, e2=epyc | one | {"packages": one["packages"] | {"python": "3.12"}}) == []


def test_versions_never_mix(result, specs, floors):
    results = [result(version=1, metrics={"top1": 10.0}), result(version=2, metrics={"top1": 90.0})]
    newest = build(results, specs, floors)
    assert [row.mean for row in newest.rows] == [90.0] and "--all-versions" in newest.notes[0]
    both = build(results, specs, floors, all_versions=True)
    assert [(row.version, row.mean) for row in both.rows] == [(2, 90.0), (1, 10.0)]
    assert [row["benchmark"] for row in as_json(both, all_versions=True)["rows"]] == ["scenes@2", "scenes@1"]


def shown(board) -> list[tuple[str, list[float]]]:
    """(how it differs, means) of each block."""
    return [(rows[0].differs, [row.mean for row in rows]) for some in board.parted() for rows in some]


def test_numerics_never_mix(result, specs, floors):
    results = [result(seed=0, metrics={"top1": 10.0}), result(seed=1, metrics={"top1": 20.0}, environment_digest="e2")]
    environments = {"e1": {"numerics": 1}, "e2": {"numerics": 2}}
    board = build(results, specs, floors, environments=environments)
    assert [(row.mean, row.n) for row in board.rows] == [(20.0, 1)] and "numerics" in board.notes[0]
    board = build(results, specs, floors, environments=environments, all_versions=True)
    assert shown(board) == [("", [20.0]), ("version of the harness's numerics 1, where the first block has 2", [10.0])]


def test_datasets_and_devices_stand_apart(result, specs, floors):
    here = [result(metrics={"top1": 10.0}), result("gem", metrics={"top1": 30.0})]
    board = build([*here, result(metrics={"top1": 20.0}, dataset="d2")], specs, floors)
    assert shown(board) == [("", [20.0]), ("other data: fingerprint d1, where the first block has d2", [30.0, 10.0])]
    assert [row.floor for row in board.rows] == [None, 12.5, 12.5], "a floor is that of its data"
    gpu = result(seed=1, metrics={"top1": 20.0}, environment_digest="e2")
    board = build([*here, gpu], specs, floors, environments={"e1": {"device": "cpu"}, "e2": {"device": "cuda:1"}})
    assert shown(board) == [("", [30.0, 10.0]), ("device cuda, where the first block has cpu", [20.0])], (
        "one trial elsewhere is no new board"
    )
    as_many = [gpu, result("gem", seed=1, metrics={"top1": 40.0}, environment_digest="e2")]
    board = build([*here, *as_many], specs, floors, environments={"e1": {"device": "cpu"}, "e2": {"device": "cuda:1"}})
    assert [row.mean for row in board.rows] == [40.0, 20.0, 30.0, 10.0], "of two that are as large the newest"


def setting(lr: float = 0.1, size: int = 64, dataset: str = "") -> dict:
    data = {"data": {"size": size}, "dataset": dataset or f"d{size}", "evaluator": {"size": size}}
    return data | {"model": {}, "schedule": {"lr": lr}, "numerics": 1}


def test_an_edited_entry_and_what_set_changed_are_blocks_of_their_own_that_say_how_they_differ(result, specs, floors):
    contents = {"s0": setting(), "s1": setting(lr=0.5), "s2": setting(size=32), "s3": setting(dataset="other")}
    results = [
        *(result(seed=seed, metrics={"top1": 70.0 + seed}, setting="s1") for seed in (0, 1)),
        *(result(method, seed, {"top1": 80.0}, setting="s0") for method in ("gap", "gem") for seed in (0, 1)),
        result(metrics={"top1": 99.0}, setting="s2", overrides=("data.size=32", "method.gamma=2")),
        result("gem", metrics={"top1": 98.0}, setting="s3", overrides=("schedule.lr=0.1",)),
        result(metrics={"top1": 50.0}),
    ]
    board = build(results[:-1], specs, floors, settings=contents)
    assert shown(board) == [
        ("", [80.0, 80.0]),
        ("schedule.lr 0.5, where the first block has 0.1", [70.5]),
        ("--set schedule.lr=0.1; other data: fingerprint other, where the first block has d64", [98.0]),
        ("--set data.size=32", [99.0]),
    ]
    assert "'gap' was run with --set method.gamma=2, not as registered" in board.notes[0]
    plain = as_json(board)
    assert [row["mean"] for row in plain["rows"]] == [80.0, 80.0] and all(list(row) == JSON_FIELDS for row in plain["rows"])
    assert [(part["differs"], part["setting"], [row["mean"] for row in part["rows"]]) for part in plain["apart"]][2] == (
        "--set data.size=32", "s2", [99.0],
    )  # fmt: skip
    last = shown(build(results, specs, floors, settings=contents, environments={"e1": {"numerics": 1}}))
    assert last[0] == ("", [50.0]) and last[1][0] == "the first block was run by an earlier harness, which did not record its setting"


def test_settings_never_mix(result, specs, floors):
    official = [result(seed=seed, metrics={"top1": 80.0}) for seed in (0, 1)]
    smoke = [result(seed=0, metrics={"top1": 10.0}, config_digest="one epoch", overrides=("schedule.epochs=1",))]
    board = build(official + smoke, specs, floors)
    assert [(row.mean, row.n, row.differs) for row in board.rows] == [(80.0, 2, ""), (10.0, 1, "--set schedule.epochs=1")]
    edited = [result(seed=0, metrics={"top1": 85.0}, plugins={"gap": "new source"})]  # the old source is no more, however many seeds it has
    board = build(official + edited, specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(85.0, 1)] and "run last as registered" in board.notes[0]
    tuned = [result(seed=seed, metrics={"top1": 99.0}, config_digest="tuned", overrides=("method.gamma=2",)) for seed in (0, 1, 2)]
    board = build(official + tuned, specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(80.0, 2)] and "2 settings" in board.notes[0]


def test_what_set_changed_stands_behind_what_is_registered_and_is_named(result, specs, floors):
    longer = [result(seed=seed, metrics={"top1": 95.0}, config_digest="longer", overrides=("schedule.epochs=99",)) for seed in (0, 1)]
    board = build(longer, specs, floors)
    assert [row.mean for row in board.rows] == [95.0] and "--set schedule.epochs=99, not as registered" in board.notes[0]
    board = build([*longer, result(seed=0, metrics={"top1": 80.0})], specs, floors)
    assert [(row.mean, row.n, row.differs) for row in board.rows] == [(80.0, 1, ""), (95.0, 2, "--set schedule.epochs=99")]
    assert board.notes == []


def test_a_seed_measured_twice_counts_once(result, specs, floors):
    board = build([result(metrics={"top1": 1.0}), result(metrics={"top1": 2.0})], specs, floors)
    assert [(row.mean, row.n) for row in board.rows] == [(2.0, 1)]


def test_a_metric_that_one_seed_lacks_is_not_a_number(result, specs, floors):
    board = build([result(seed=0, metrics={"top1": 1.0, "error": 1.0}), result(seed=1, metrics={"top1": 2.0})], specs, floors)
    error = next(row for row in board.rows if row.metric == "error")
    assert math.isnan(error.mean) and error.ci95 is None and error.n == 2 and not error.below_floor
    assert [note for note in board.notes if "so no mean" in note] == ["scenes v1: 'gap' has no error in seed 1, and so no mean."]


def test_empty():
    assert build([], [], []).rows == []
