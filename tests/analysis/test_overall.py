"""Methods over several benchmarks: only what is complete and comparable, and what is left out is said."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.leaderboard import build
from harness.analysis.overall import formats as overall_formats
from harness.analysis.overall.summary import overall
from harness.store.records import Floor, MetricSpec

BENCHMARKS = {"scenes": True, "digits": True, "rooms": False}
"""Name -> whether higher is better."""


@pytest.fixture
def specs() -> list[MetricSpec]:
    return [
        MetricSpec(name, 1, "top1" if higher else "error", "%" if higher else "m", higher, "", True) for name, higher in BENCHMARKS.items()
    ]


@pytest.fixture
def trials(result):
    """``trials({method: means of the benchmarks}, seeds)``; an error is a hundredth of 100 - mean."""

    def make(means: dict[str, tuple[float, ...]], seeds: int = 3, **changes):
        return [
            result(method, seed, {"top1": mean + seed} if higher else {"error": (100 - mean - seed) / 100}, benchmark=name, **changes)
            for method, some in means.items()
            for (name, higher), mean in zip(BENCHMARKS.items(), some, strict=False)
            for seed in range(seeds)
        ]

    return make


MEANS = {"good": (80.0, 85.0, 90.0), "fair": (60.0, 90.0, 70.0), "poor": (40.0, 30.0, 20.0)}


def test_mean_ranks_by_hand(trials, specs):
    (table,) = overall(build(trials(MEANS), specs, [])).tables
    assert table.methods == ("good", "fair", "poor") and set(table.benchmarks) == {"scenes v1", "digits v1", "rooms v1"}
    assert table.mean.mean.tolist() == pytest.approx([4 / 3, 5 / 3, 3.0])
    assert (table.mean.seeds[:, 0] <= table.mean.mean).all() and (table.mean.mean <= table.mean.seeds[:, 1]).all()
    assert table.middle is None and "5 seeds" in table.notes[-1]
    assert table.ranks.cliques == ((0, 1, 2),), "three benchmarks cannot tell them apart"
    text = overall_formats.table(overall(build(trials(MEANS), specs, [])))
    assert max(map(len, text.splitlines())) <= 100
    (line,) = [line.split() for line in text.splitlines() if " good " in line]
    assert line[:3] == ["1.3", "good", "a"] and sorted(line[-3:]) == ["1", "1", "2"]


def test_a_benchmark_on_which_no_seed_differs_is_ranked_by_its_means(trials, specs):
    """As one that all methods solve but one: its seeds say nothing of a spread."""
    found = [
        replace(some, metrics={"top1": 0.0 if some.method == "good" else 100.0}) if some.benchmark == "digits" else some
        for some in trials(MEANS)
    ]
    (table,) = overall(build(found, specs, [])).tables
    assert len(table.benchmarks) == len(BENCHMARKS) and np.isfinite(table.mean.seeds).all()
    assert table.ranks.ranks[table.benchmarks.index("digits v1"), table.methods.index("good")] == 3


def test_scores_lie_between_floor_and_best(trials, specs):
    floors = [Floor(name, 1, "d1", "top1" if higher else "error", 10.0 if higher else 0.9) for name, higher in BENCHMARKS.items()]
    summary = overall(build(trials(MEANS, 5), specs, floors))
    (table,) = summary.tables
    values = [[(mean + seed - 10) / (best + 2 - 10) for mean, best in zip(MEANS["fair"], (80, 90, 90), strict=True)] for seed in range(5)]
    pooled = np.sort(np.ravel(values))
    assert table.middle[1].value == pytest.approx(pooled[3:-3].mean()), "a quarter of 15, rounded down, goes on each side"
    assert table.profile[1].value.tolist() == pytest.approx([(pooled > level).mean() for level in (0.5, 0.75, 0.9)])
    document = overall_formats.as_json(summary)["overall"][0]
    assert [method["method"] for method in document["methods"]] == ["good", "fair", "poor"]
    assert document["methods"][1]["score"] == pytest.approx(table.middle[1].value)
    assert [row["score"] for row in csv.DictReader(io.StringIO(overall_formats.csv_text(summary)))][1] == str(
        document["methods"][1]["score"]
    )
    assert "| good |" in overall_formats.markdown(summary) and r"\toprule" in overall_formats.latex(summary)
    below = [Floor(name, 1, "d1", "top1" if higher else "error", 99.0 if higher else 0.9) for name, higher in BENCHMARKS.items()]
    (table,) = overall(build(trials(MEANS, 5), specs, below)).tables
    assert table.middle is None and "no method is above a known floor" in table.notes[-1]


def test_what_is_missing_is_left_out_and_named(trials, result, specs):
    some = [*trials(MEANS), *trials({"new": (99.0,)}), result("good", 0, {"top1": 50.0}, benchmark="late")]
    (table,) = overall(build(some, [*specs, MetricSpec("late", 1, "top1", "%", True, "", True)], [])).tables
    assert table.methods == ("good", "fair", "poor") and len(table.benchmarks) == 3
    assert "'new'" in table.notes[0] and "late v1" in table.notes[0]


def test_settings_and_devices_are_not_averaged(trials, specs):
    environments = {"e1": {"device": "cpu"}, "e2": {"device": "cuda:0"}}
    here, there = trials(MEANS), trials(MEANS, environment_digest="e2")
    moved = [trial for trial in here if trial.benchmark != "rooms"] + [trial for trial in there if trial.benchmark == "rooms"]
    summary = overall(build(moved, specs, [], environments=environments))
    assert summary.tables[0].benchmarks == ("scenes v1", "digits v1") or summary.tables[0].benchmarks == ("digits v1", "scenes v1")
    assert any("rooms v1 was run on cuda, most were on cpu" in note for note in summary.notes)
    shorter = trials({"good": (99.0, 99.0)}, config_digest="short", overrides=("schedule.epochs=1",))
    summary = overall(build([*here, *shorter], specs, []))
    assert summary.tables[0].mean.mean.tolist() == pytest.approx([4 / 3, 5 / 3, 3.0])
    assert sum("another setting are left out (--set schedule.epochs=1)" in note for note in summary.notes) == 2


def test_a_benchmark_counts_once_however_many_versions_are_shown(trials, specs):
    before = MetricSpec("scenes", 2, "top1", "%", True, "", True)
    newer = [replace(trial, version=2, digest=f"{trial.digest}-2") for trial in trials(MEANS) if trial.benchmark == "scenes"]
    summary = overall(build([*trials(MEANS), *newer], [*specs, before], [], all_versions=True))
    assert sorted(summary.tables[0].benchmarks) == ["digits v1", "rooms v1", "scenes v2"]
    assert summary.notes == ["scenes v1: older versions are left out."]


def test_slots_do_not_mix_and_one_benchmark_is_no_table(trials, specs):
    half = [*trials({"good": MEANS["good"]}), *trials({"fair": MEANS["fair"]}, slot="block")]
    assert overall(build(half, specs, [])).tables == []
    assert overall(build(trials({name: some[:1] for name, some in MEANS.items()}), specs, [])).tables == []
    assert overall(build([], [], [])).tables == []


def test_ranks_by_survivors_say_so(trials, waiting, specs):
    failed = [waiting("good", seed, benchmark="digits", kind="nan") for seed in (3, 4)]
    failed += [waiting("new", 0, benchmark="scenes", kind="nan"), waiting("gap", 0, benchmark="scenes", slot="block")]
    summary = overall(build(trials(MEANS), specs, [], unfinished=failed))
    (table,) = summary.tables
    assert table.notes[-1] == (
        "seeds with a result: 'new' 0 of 1 on scenes v1 (1 failed: nan), 'good' 3 of 5 on digits v1 (2 failed: nan)."
    ), "of the slot, whoever is left out too"
    (plain,) = overall_formats.as_json(summary)["overall"]
    assert [(lacks["benchmark"], lacks["method"], lacks["n"], lacks["asked"]) for lacks in plain["missing"]] == [
        ("digits", "good", 3, 5),
        ("scenes", "new", 0, 1),
    ]
    narrow = overall_formats.table(summary, 40)
    assert max(map(len, narrow.splitlines())) <= 40 and narrow.count("method") > 2, "ranks without room follow below"
    assert "'good' 3 of 5 on digits v1" in overall_formats.table(summary, None) and "'good' 3 of 5" in overall_formats.markdown(summary)


def test_what_set_changed_of_a_method_is_told(trials, specs):
    done = [replace(some, overrides=("method.ratio=0.5",)) if some.method == "fair" else some for some in trials(MEANS)]
    (table,) = overall(build(done, specs, [])).tables
    assert [note for note in table.notes if "ratio" in note] == [
        f"{name}: fair was run with --set method.ratio=0.5, not as registered." for name in table.benchmarks
    ]


def test_a_table_has_one_budget(trials, specs):
    settings = {"t": {"dataset": "d1", "tuning": {"trials": 8, "seeds": 1, "space": {}}}}
    every, tuned = trials(MEANS), trials(MEANS, setting="t", tuning="s")
    mixed = [trial for trial in every if trial.benchmark != "rooms"] + [trial for trial in tuned if trial.benchmark == "rooms"]
    summary = overall(build(mixed, specs, [], settings=settings))
    assert set(summary.tables[0].benchmarks) == {"scenes v1", "digits v1"} and len(summary.tables) == 1
    assert summary.notes == ["rooms v1: left out tuned with 8 trials, as no other benchmark is."]
    summary = overall(build(tuned, specs, [], settings=settings))
    assert summary.notes == [] and {*summary.tables[0].benchmarks} == {f"{name} v1" for name in BENCHMARKS}
    text = overall_formats.table(summary, None), overall_formats.markdown(summary), overall_formats.latex(summary)
    assert all("3 methods over 3 benchmarks · tuned with 8 trials" in some for some in text)
    assert "which another tuning seed may make otherwise" in text[0] and ",tuned with 8 trials,good," in overall_formats.csv_text(summary)
    named = overall(build(mixed, specs, [], settings=settings), ["good", "poor"])
    assert len(named.tables[0].benchmarks) == 2 and "rooms v1" in named.notes[0]


def test_each_budget_has_a_table_as_registered_first(trials, specs):
    settings = {
        "t": {"dataset": "d1", "tuning": {"trials": 8, "seeds": 1, "space": {}}},
        "o": {"dataset": "d1", "tuning": {"trials": 8, "seeds": 1, "space": {}}, "schedule": {"epochs": 1}},
    }
    turned = {"good": (40.0, 30.0, 20.0), "fair": MEANS["fair"], "poor": (80.0, 95.0, 90.0)}
    tuned = [trial for trial in trials(turned, setting="t", tuning="s") if trial.benchmark != "digits"]
    other = trials({"good": (99.0,)}, setting="o", tuning="s", overrides=("schedule.epochs=1",))
    for methods in ((), ("good", "fair", "poor")):
        summary = overall(build([*trials(MEANS), *tuned, *other], specs, [], settings=settings), methods)
        assert [(table.budget, len(table.benchmarks)) for table in summary.tables] == [("", 3), ("tuned with 8 trials", 2)]
        assert [table.methods[0] for table in summary.tables] == ["good", "poor"]
        assert [note for note in summary.notes if "epochs=1" in note and "left out" in note], "tuned with that budget, and otherwise too"
    assert [table["budget"] for table in overall_formats.as_json(summary)["overall"]] == ["", "tuned with 8 trials"]


def test_slots_that_one_method_fills_are_one(trials, specs):
    """A block stands in a segmentation head's context slot, too; what stands there alone is left out."""
    found = [replace(some, slot="context") if some.benchmark == "digits" else some for some in trials(MEANS, slot="block")]
    found += [replace(some, slot="context", method="head") for some in found if (some.benchmark, some.method) == ("digits", "poor")]
    found += trials({"mean": MEANS["good"], "most": MEANS["fair"]}, slot="pooling")
    tables = {table.slot: table for table in overall(build(found, specs, [])).tables}
    assert {slot: len(table.benchmarks) for slot, table in tables.items()} == {"block": 3, "pooling": 3}
    assert set(tables["block"].methods) == {"good", "fair", "poor"} and "'head'" in tables["block"].notes[0]
