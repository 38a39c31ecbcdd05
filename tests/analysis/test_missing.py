"""Whoever failed is on the board: seeds without a result, methods without any, benchmarks without any."""

from __future__ import annotations

import csv
import io
import random

from harness.analysis import formats
from harness.analysis.board_json import as_json
from harness.analysis.leaderboard import build

OOM = {"kind": "out-of-memory", "reason": "out of memory"}


def told(board) -> list[tuple[str, int, int, str]]:
    return [(lacks.method, lacks.ended, lacks.asked, lacks.told) for lacks in board.missing]


def test_each_text_shows_what_failed_and_what_is_missing(result, waiting, specs, floors):
    done = [result("gap", 0, {"top1": 70.0}), result("gap", 2, {"top1": 72.0}), *(result("gem", seed, {"top1": 60.0}) for seed in range(3))]
    failed = [waiting("gap", 1, **OOM), *(waiting("simpool", seed, **OOM) for seed in range(2)), waiting("simpool", 2, "planned")]
    board = build(done, specs, floors, unfinished=failed)
    assert told(board) == [("gap", 2, 3, "1 failed: out-of-memory"), ("simpool", 0, 3, "2 failed: out-of-memory; 1 planned")]
    lines = [line.split() for line in formats.table(board).splitlines()]
    assert [(line[1], line[7]) for line in lines[4:6]] == [("gap", "2/3"), ("gem", "3")]
    assert lines[6][0] == "floor" and lines[7] == ["-", "simpool", "failed", "0/3"], "behind all that was measured, the floor too"
    assert "| simpool | failed |" in formats.markdown(board) and "- & simpool & failed & " in formats.latex(board)
    rows = {(row["method"], row["metric"]): row for row in csv.DictReader(io.StringIO(formats.csv_text(board)))}
    assert [(rows[key]["n"], rows[key]["asked"], rows[key]["missing"]) for key in [("gap", "top1"), ("gem", "top1"), ("simpool", "")]] == [
        ("2", "3", "1 failed: out-of-memory"),
        ("3", "3", ""),
        ("0", "3", "2 failed: out-of-memory; 1 planned"),
    ]
    assert [(some["method"], some["states"], some["failures"]) for some in as_json(board)["missing"]] == [
        ("gap", {"failed": 1}, ["out-of-memory"]),
        ("simpool", {"failed": 2, "planned": 1}, ["out-of-memory"]),
    ]
    (note,) = board.notes
    assert note.startswith("scenes v1: seeds with a result: 'simpool' 0 of 3 (2 failed: out-of-memory; 1 planned), 'gap' 2 of 3 (")
    assert "missing" not in as_json(build(done, specs, floors)) and "2/3" not in formats.table(build(done, specs, floors))
    assert told(board.of(["gap"])) == told(board)[:1]


def test_a_benchmark_without_any_result_is_there(waiting, specs):
    board = build(
        [], specs, [], unfinished=[waiting("gap", 0, **OOM), waiting("gem", 0, "running"), waiting("gem", 1, "running", alive=True)]
    )
    text = formats.table(board).splitlines()
    assert text[0] == "scenes v1 · classification · synthetic · no result yet"
    assert [line.split(maxsplit=2) for line in text[2:4]] == [
        ["gap", "0/1", "1 failed: out-of-memory"],
        ["gem", "0/2", "1 interrupted; 1 running"],
    ]
    assert "| gap | 0/1 | 1 failed: out-of-memory |" in formats.markdown(board) and "0/1" in formats.latex(board)


def test_only_seeds_of_what_is_shown_are_missing(result, waiting, specs, floors):
    """An edited source, an older version, another setting: what they lack is not missing of the rows that are shown."""
    done = [result("gap", seed, version=2) for seed in range(2)]
    newer = {"version": 2, "created": 1e9, "plugins": {"gap": "edited"}}
    board = build(done, specs, floors, unfinished=[waiting("gap", 0, version=1), waiting("gap", 5, plugins={"gap": "older"}, version=2)])
    assert told(board) == [] and board.notes == []
    board = build(done, specs, floors, unfinished=[waiting("gap", seed, **newer, **OOM) for seed in (0, 1)])
    assert told(board) == [] and "gap was planned since with other settings or sources, without a result yet: 2 failed" in board.notes[0]
    older = build(done, specs, floors, unfinished=[waiting("gap", 0, version=1)], all_versions=True)
    assert told(older) == [("gap", 0, 1, "1 failed")] and [*older.empty] == [("scenes", 1, older.missing[0].setting)]
    ahead = build(done, specs, floors, unfinished=[waiting("gap", 0, version=3, state="planned")])
    assert [row.version for row in ahead.rows] == [2] and told(ahead) == [("gap", 0, 1, "1 planned")]


def test_trials_find_the_block_of_their_setting(result, waiting, specs, floors):
    settings = {name: {"data": {}, "model": {"depth": depth}, "numerics": 1} for name, depth in (("s1", 1), ("s2", 2), ("s3", 3))}
    environments = {"e1": {"device": "cuda:0", "numerics": 1}}
    done = [result("gap", 0, setting="s1"), result("gap", 0, setting="s2", overrides=("model.depth=2",))]
    failed = [
        waiting("gem", 0, setting=name, overrides=sets)
        for name, sets in (("s1", ()), ("s2", ("model.depth=2",)), ("s3", ("model.depth=3",)))
    ]
    board = build(done, specs, floors, unfinished=failed, settings=settings, environments=environments)
    blocks = [*board.blocks()]
    assert [lacks.block == block for lacks, block in zip(board.missing, blocks, strict=False)] == [True, True]
    (alone,) = board.empty.values()
    assert alone[0].differs == "--set model.depth=3", "on which device it would have run is no difference"
    assert [lacks.method for lacks in board.without(blocks[0])] == ["gem"]


def test_a_failure_stands_where_its_method_ran(result, waiting, specs, floors):
    """No failed trial says on which device it ran: what was planned with it does, then the other seeds of its method."""
    environments = {"e1": {"device": "cpu"}, "e2": {"device": "cuda:0"}}
    cpu = [result(name, seed, created=1.0) for name in ("gap", "gem") for seed in (0, 1)]
    gpu = [result(name, seed, created=2.0, environment_digest="e2") for name in ("gap", "lse") for seed in (3, 4, 5)]
    for row, device in (
        (waiting("gem", 2, created=1.0), "cpu"),
        (waiting("gem", 2, created=2.0), "cuda"),
        (waiting("gem", 2, created=3.0), "cpu"),
        (waiting("gap", 2, created=3.0), "cuda"),
        (waiting("lse", 2, created=3.0), "cuda"),
        (waiting("cbam", 2, created=2.0), "cuda"),
    ):
        (lacks,) = build([*cpu, *gpu], specs, floors, unfinished=[row], environments=environments).missing
        assert lacks.setting.device == device, row
    board = build([*cpu, gpu[0]], specs, floors, unfinished=[waiting("gem", 2, **OOM)], environments=environments)
    assert told(board) == [("gem", 2, 3, "1 failed: out-of-memory")]


def test_each_seed_counts_once(result, waiting, specs, floors):
    """Of many random stores: what has a result and what is missing are the seeds that were asked for, each once."""
    random.seed(0)
    for _ in range(200):
        asked = {method: random.sample(range(9), random.randint(1, 6)) for method in ("gap", "gem", "lse")}
        states = {(m, s): random.choice(("done", "failed", "planned", "running")) for m, seeds in asked.items() for s in seeds}
        done = [result(m, s) for (m, s), state in states.items() if state == "done"]
        rest = [waiting(m, s, state, digest=f"{m}{s}") for (m, s), state in states.items() if state != "done"]
        board = build(done, specs, floors, unfinished=rest)
        n = {row.method: row.seeds for row in board.rows if row.primary}
        for method, seeds in asked.items():
            lacks = next((lacks for lacks in board.missing if lacks.method == method), None)
            missing = [row.seed for row in lacks.trials] if lacks else []
            assert sorted([*n.get(method, ()), *missing]) == sorted(seeds)
            assert lacks is None or (lacks.asked == len(seeds) and sum(lacks.counts.values()) == len(missing))
