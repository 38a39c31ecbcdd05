"""Overview page: methods x benchmarks, who is best where, and what is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import streamlit as st

from dashboard import reads, state, tables, text
from harness.analysis import formats
from harness.analysis.leaderboard import Board
from harness.analysis.numbers import RANK
from harness.analysis.views import overview
from harness.analysis.views.overview import Cell, Column, Filters, Grid

METHOD, PLACE, SLOT = "method", "mean rank", "slot"

LEGEND = """Means over seeds. **Bold**: the tie group of the best, all that cannot be told apart from it (95 %, all pairs of a benchmark
together). 2/3: of 3 seeds that were asked for 2 have a result. !: worse than the floor, the trivial predictor. †: attention collapsed in
at least one seed. Mean rank: over the benchmarks that all methods of a slot have, 1 is best, with its 95 % interval for other seeds.
A click on a cell opens the benchmark, or the trials that failed; one on a name the method."""


def _filters(board: Board) -> Filters:
    """What the widgets say, which is what the address says."""
    known = overview.options(board)
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    search = state.words("Search", "q", place=left, placeholder="Part of a method, slot or benchmark")
    with right.popover("Filters", width="stretch", icon=":material/filter_list:"):
        families = state.choices("Family", known.families, "family")
        tiers = state.choices("Tier", known.tiers, "tier")
        slots = state.choices("Slot", known.slots, "slot")
        benchmarks = state.choices("Benchmark", known.benchmarks, "benchmark")
        methods = state.choices("Method", known.methods, "method")
        seeds = state.number("Seeds, at least", "seeds", 0, max(known.seeds, 1))
    told = {"family": families, "tier": tiers, "slot": slots, "benchmark": benchmarks, "method": methods}
    words = [f"{name}: {', '.join(map(text.visible, some))}" for name, some in told.items() if some]
    words += [f"{seeds} seeds or more"] if seeds else []
    if words:
        st.text(" · ".join(words))
    return Filters(tuple(families), tuple(tiers), tuple(slots), tuple(methods), tuple(benchmarks), search, seeds)


def _names(columns: tuple[Column, ...]) -> list[str]:
    """One for each column, no two alike: the benchmark's, with version and setting where it has several columns."""
    often = Counter(column.benchmark for column in columns)
    found: list[str] = []
    for column in columns:
        name = text.visible(column.name if often[column.benchmark] > 1 else column.benchmark)
        found.append(f"{name} ({column.key})" if name in (*found, METHOD, PLACE, SLOT) else name)
    return found


def _width(names: Iterable[str], least: int, most: int) -> int:
    """Pixels of a column that shows names."""
    return min(max(least, *(int(16 + 6.8 * len(name)) for name in names)), most)


def _widths(headings: Sequence[str]) -> list[int]:
    """Pixels of each column: room for its cells, and with its neighbours for the heading that they share."""
    found: list[int] = []
    for heading, some in groupby(headings):
        count = len([*some])
        found += [max(105, _width([heading], 0, 210) // count)] * count
    return found


def _value(cell: Cell | None, column: Column) -> float | None:
    """What a cell is sorted by: one without a result stands behind all that have one."""
    if cell is None:
        return None
    worst = -math.inf if column.higher_is_better else math.inf
    return worst if cell.value is None or math.isnan(cell.value) else cell.value


def _table(grid: Grid) -> None:
    names, ranked = _names(grid.columns), any(line.overall for line in grid.lines)
    marks = {(place, PLACE): tables.Mark(line.overall.text) for place, line in enumerate(grid.lines) if line.overall}
    records: list[dict[str, Any]] = []
    for place, line in enumerate(grid.lines):
        cells = dict(zip(names, zip(grid.columns, line.cells, strict=True), strict=True))
        marks |= {(place, name): tables.Mark(cell.text, cell.best) for name, (_, cell) in cells.items() if cell}
        over_all = {PLACE: line.overall.rank if line.overall else None} if ranked else {}
        scores = {name: _value(cell, column) for name, (column, cell) in cells.items()}
        records.append({METHOD: text.visible(line.method)} | over_all | scores | {SLOT: line.slot})

    headings = [text.visible(column.heading) for column in grid.columns]

    def opens(row: int, name: str) -> tuple[str, Mapping[str, state.Value]] | None:
        line = grid.lines[row]
        if name not in names:
            return "method", {"method": line.method}
        column, cell = grid.columns[names.index(name)], line.cells[names.index(name)]
        if cell is None:
            return None
        if cell.row is None:
            return "runs", {"benchmark": column.benchmark, "method": line.method}
        return "benchmark", {"benchmark": column.benchmark, "block": column.key, "method": line.method}

    tables.show(
        records,
        key="grid",
        numbers={PLACE: RANK} | {name: column.unit for name, column in zip(names, grid.columns, strict=True)},
        columns={METHOD: {"width": _width([line.method for line in grid.lines], 100, 214)}, PLACE: {"width": 100, "alignment": "left"}}
        | {name: {"width": width, "alignment": "left"} for name, width in zip(names, _widths(headings), strict=True)},
        groups=dict(zip(names, headings, strict=True)),
        marks=marks,
        opens=opens,
        rows=22,
        boxes=False,
        alt_text="Mean of each method on each benchmark",
    )


def _grid(_url: str, every: bool, filters: Filters, apart: bool) -> Grid:
    return overview.grid(reads.board(all_versions=every), filters, apart=apart)


def main() -> None:
    """Draw the page."""
    st.title("Overview")
    with st.sidebar:
        every = state.switch("Older versions", "versions")
        apart = state.switch("Other settings", "settings")
    board = reads.board(all_versions=every)
    grid = reads.cached(_grid, every, _filters(board), apart)
    if not grid.lines:
        st.info("Nothing is left by these filters." if board.rows or board.missing else "No results yet.")
        return
    counted = f"{len(grid.lines)} methods on {len(grid.columns)} benchmarks"
    failed = sum(lacks.counts["failed"] for lacks in grid.failed)
    st.text(counted + (f" · {failed} trials failed" if failed else ""))
    _table(grid)
    st.caption(LEGEND)
    left, right = st.columns(2)
    with left:
        tables.download("overview.csv", formats.csv_text(grid.board))
    if failed:
        state.link("What failed", "runs", state="failed", place=right)
    if grid.notes:
        with st.expander(f"What is left out, and what is missing ({len(grid.notes)})"):
            for note in grid.notes:
                st.text(note)


main()
