"""The grid of methods and benchmarks: read once for what is asked, and drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dashboard import reads, state, tables, text
from harness.analysis.numbers import NOTHING, RANK
from harness.analysis.views import overview
from harness.analysis.views.overview import Cell, Column, Filters, Grid

if TYPE_CHECKING:
    from harness.analysis.board import Block
    from harness.analysis.overall.summary import Summary

METHOD, PLACE, SLOT = "method", "mean rank", "slot"


def read(filters: Filters, every: bool, apart: bool) -> Grid:
    """What the filters let through.

    Args:
        every: older versions too.
        apart: further settings too.
    """
    return reads.cached(_grid, filters, every, apart)


def _grid(_url: str, filters: Filters, every: bool, apart: bool) -> Grid:
    board = reads.board(all_versions=every)
    blocks = tuple(column.block for column in overview.columns(board, filters, apart))
    return overview.grid(board, filters, apart=apart, summary=reads.cached(_over_all, every, blocks))


def _over_all(_url: str, every: bool, blocks: tuple[Block, ...]) -> Summary:
    return overview.over_all(reads.board(all_versions=every), {*blocks})


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


def _widths(names: Sequence[str], headings: Sequence[str]) -> list[int]:
    """Pixels of each column: room for its cells and its name, and with its neighbours for the heading that they share."""
    found: list[int] = []
    for heading, some in groupby(headings):
        count = len([*some])
        shared = _width([heading], 0, 210) // count
        found += [max(shared, _width([name], 80, 170)) for name in names[len(found) : len(found) + count]]
    return found


def _value(cell: Cell | None, column: Column) -> float | None:
    """What a cell is sorted by: one without a result stands behind all that have one."""
    if cell is None:
        return None
    worst = -math.inf if column.higher_is_better else math.inf
    return worst if cell.value is None or math.isnan(cell.value) else cell.value


def show(grid: Grid) -> None:
    """Draw the table; a click on a cell leads to the benchmark, or to the trials that have no result, one on a name to the method."""
    names, ranked = _names(grid.columns), any(line.overall for line in grid.lines)
    # ranks are those within a slot, which stands beside them
    several = ranked and len({line.slot for line in grid.lines}) > 1
    marks: dict[tuple[int, str], tables.Mark] = {}
    records: list[dict[str, Any]] = []
    for place, line in enumerate(grid.lines):
        cells = dict(zip(names, zip(grid.columns, line.cells, strict=True), strict=True))
        if ranked:
            marks[place, PLACE] = tables.Mark(line.overall.text if line.overall else NOTHING)
        marks |= {(place, name): tables.Mark(cell.text, cell.best) for name, (_, cell) in cells.items() if cell}
        # one without a rank stands behind all that have one
        over_all = {PLACE: line.overall.rank if line.overall else math.inf} if ranked else {}
        scores = {name: _value(cell, column) for name, (column, cell) in cells.items()}
        slot = {SLOT: line.slot}
        records.append({METHOD: text.visible(line.method)} | (slot if several else {}) | over_all | scores | slot)

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
        columns={
            METHOD: {"width": _width([line.method for line in grid.lines], 100, 214)},
            PLACE: {"width": 100, "alignment": "left"},
            SLOT: {"width": 125},
        }
        | {name: {"width": width, "alignment": "left"} for name, width in zip(names, _widths(names, headings), strict=True)},
        groups=dict(zip(names, headings, strict=True)),
        marks=marks,
        opens=opens,
        rows=22,
        boxes=False,
        alt_text="Mean of each method on each benchmark",
    )
