"""The grid of methods and benchmarks: every cell is there once, marks are those of the boards, filters hide and change nothing."""

from __future__ import annotations

import csv
import io
import random

import pytest

from harness.analysis import formats
from harness.analysis.board import Board
from harness.analysis.leaderboard import build
from harness.analysis.overall.summary import overall
from harness.analysis.views.overview import Filters, grid, options
from harness.store.records import Floor, MetricSpec


@pytest.fixture
def store(result, trial_row):
    """Random trials of eight methods in two slots on four benchmarks; those without a result are ``None``."""
    rng = random.Random(5)
    methods = {f"m{index}": ("pooling", "block")[index % 2] for index in range(8)}
    benchmarks = {"scenes": ("%", True), "rooms": ("m", False), "poses": ("%", True), "fields": ("%", True)}
    done, waiting, values = [], [], {}
    for bench, (unit, _) in benchmarks.items():
        for index, (method, slot) in enumerate(methods.items()):
            if bench == "fields" and slot == "block":
                continue
            for seed in range(rng.randint(2, 5)):
                about = {"benchmark": bench, "family": "classification", "slot": slot, "tier": ("synthetic", "small")[bench == "rooms"]}
                level = 60 + 3 * index + rng.gauss(0, 4)
                value = None if rng.random() < 0.2 or (bench, method) == ("scenes", "m2") else level if unit == "%" else 10 / level
                values[bench, method, seed] = value
                if value is None:
                    variant = {"config_digest": f"config-{method}", "plugins": {method: "source"}}
                    waiting.append(trial_row(method, seed, **about, **variant, digest=f"{bench}{method}{seed}", kind="out-of-memory"))
                else:
                    done.append(result(method, seed, {"score": value}, **about))
    specs = [MetricSpec(bench, 1, "score", unit, higher, "", True) for bench, (unit, higher) in benchmarks.items()]
    board = build(done, specs, [Floor("scenes", 1, "d1", "score", 70.0)], unfinished=waiting)
    return board, values


def by_name(shown):
    return {
        (column.benchmark, line.method): cell
        for line in shown.lines
        for column, cell in zip(shown.columns, line.cells, strict=True)
        if cell is not None
    }


def test_every_method_that_was_asked_for_has_a_cell(store):
    board, values = store
    cells = by_name(grid(board))
    asked = {(bench, method): [v for (b, m, _), v in values.items() if (b, m) == (bench, method)] for bench, method, _ in values}
    assert cells.keys() == asked.keys()
    for name, some in asked.items():
        had, cell = [value for value in some if value is not None], cells[name]
        assert (cell.n, cell.lacks.asked if cell.lacks else cell.n) == (len(had), len(some))
        if had:
            assert cell.value == pytest.approx(sum(had) / len(had)) and float(cell.text.split()[0]) == pytest.approx(cell.value, abs=0.05)
        assert (f"{len(had)}/{len(some)}" in cell.text) == (len(had) < len(some))
    assert cells["scenes", "m2"].text.startswith("failed  0/") and cells["scenes", "m2"].value is None
    assert "!" in cells["scenes", "m0"].text and "!" not in cells["scenes", "m7"].text, "under the floor"


def test_the_best_tie_group_is_that_of_the_letters(store):
    board, _ = store
    shown = grid(board)
    for index, column in enumerate(shown.columns):
        standing = board.standings[column.block]
        first = next(method for method in standing.values if method in standing.tied)
        letters = {method for method, tied in standing.tied.items() if {*tied} & {*standing.tied[first]}}
        assert {line.method for line in shown.lines if line.cells[index] and line.cells[index].best} == letters
    assert {column.name: column.heading for column in shown.columns} == {
        "scenes v1": "score [%] ↑",
        "fields v1": "score [%] ↑",
        "poses v1": "score [%] ↑",
        "rooms v1": "score [m] ↓",
    }


def test_places_are_those_of_the_tables_over_benchmarks(store):
    board, _ = store
    shown = grid(board)
    tables = {table.slot: table for table in overall(board).tables}
    assert tables
    for line in shown.lines:
        table = tables[line.slot]
        if line.method in table.methods:
            index = table.methods.index(line.method)
            assert (line.overall.rank, line.overall.methods) == (table.mean.mean[index], len(table.methods))
            assert line.overall.seeds == tuple(table.mean.seeds[index])
            assert line.overall.text == "{:.1f} ({:.1f}–{:.1f})".format(line.overall.rank, *line.overall.seeds)
        else:
            assert line.overall is None
    slots = [line.slot for line in shown.lines]
    assert slots == sorted(slots, key=slots.index), "lines of a slot stand together"
    ranks = [line.overall.rank for line in shown.lines if line.overall and line.slot == "pooling"]
    assert ranks == sorted(ranks)


def test_filters_hide_and_change_no_mark(store):
    board, _ = store
    whole = by_name(grid(board))

    def kept(**wanted):
        cells = by_name(grid(board, Filters(**wanted)))
        assert all(cell == whole[name] for name, cell in cells.items())
        return {*cells}

    assert kept(methods=["m1", "m2"]) == {name for name in whole if name[1] in ("m1", "m2")}
    assert kept(slots=["block"]) == {name for name in whole if int(name[1][1]) % 2}
    assert kept(tiers=["small"]) == kept(benchmarks=["rooms"]) == {name for name in whole if name[0] == "rooms"}
    assert kept(families=["keypoint"]) == kept(search="nothing is called so") == set()
    assert kept(search="POOL m2") == {name for name in whole if name[1] == "m2"}
    assert kept(seeds=4) == {name for name, cell in whole.items() if cell.n >= 4}


def test_a_column_without_cells_goes(store):
    board, _ = store
    assert {column.benchmark for column in grid(board, Filters(slots=["block"])).columns} == {"scenes", "rooms", "poses"}
    assert grid(Board()).lines == () and options(Board()).methods == ()
    assert options(board).slots == ("pooling", "block") and options(board).benchmarks[-1] == "rooms", "small behind synthetic"


def test_the_part_that_is_shown_stands_as_among_all(store):
    board, _ = store
    shown = grid(board, Filters(methods=["m6", "m2"], benchmarks=["scenes"]))
    lines = list(csv.DictReader(io.StringIO(formats.csv_text(shown.board))))
    assert [(line["method"], line["n"] == "0") for line in lines] == [("m6", False), ("m2", True)]
    (row,) = [row for row in board.rows if (row.benchmark, row.method) == ("scenes", "m6")]
    assert (float(lines[0]["mean"]), lines[0]["digests"].split()) == (row.mean, [*row.digests]), "nothing is rounded"
    assert int(lines[0]["rank_high"]) == board.standing(row).ranks["m6"][1]


def test_further_settings_are_columns_when_asked_for(result):
    specs = [MetricSpec("scenes", 1, "top1", "%", True, "", True)]
    trials = [result("gap", seed, overrides=sets) for seed in (0, 1) for sets in ((), ("schedule.epochs=1",))]
    board = build(trials, specs, [])
    assert [column.differs for column in grid(board).columns] == [""]
    assert [column.name for column in grid(board, apart=True).columns] == ["scenes v1", "scenes v1 · --set schedule.epochs=1"]
