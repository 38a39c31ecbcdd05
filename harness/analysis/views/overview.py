"""Methods x benchmarks: who is best where, what is missing, and where a method stands over all."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from harness.analysis.board import Block, Board, Row
from harness.analysis.leaders import leaders
from harness.analysis.missing import Missing, seeds
from harness.analysis.numbers import RANK, number
from harness.analysis.overall.summary import Overall, Summary, overall


def key_of(block: Block) -> str:
    """Version, setting and device of a block in a word: ``2-3fa2…-cpu``."""
    return "-".join(filter(None, [str(block[1]), block[2].digest, block[2].device]))


UP, DOWN = "↑", "↓"
"""Behind a unit: higher is better, lower is better."""


@dataclass(frozen=True)
class Column:
    """One block: a benchmark's version in one setting."""

    block: Block
    family: str
    tier: str
    metric: str
    """The primary one; empty where nothing has a result yet."""
    unit: str
    higher_is_better: bool
    differs: str
    floor: float | None
    apart: bool
    """Whether the benchmark's version has another block before it."""

    @property
    def benchmark(self) -> str:
        return self.block[0]

    @property
    def version(self) -> int:
        return self.block[1]

    @property
    def key(self) -> str:
        """Tells it from other blocks of the benchmark in an address."""
        return key_of(self.block)

    @property
    def name(self) -> str:
        """``digits v2``, and how the setting differs."""
        return " · ".join(filter(None, [f"{self.benchmark} v{self.version}", self.differs]))

    @property
    def heading(self) -> str:
        """``top1 [%] ↑``."""
        return f"{self.metric} [{self.unit or '1'}] {UP if self.higher_is_better else DOWN}" if self.metric else "no result yet"


@dataclass(frozen=True)
class Cell:
    """A method on a benchmark."""

    row: Row | None
    """Of the primary metric; ``None`` where there is no result."""
    lacks: Missing | None
    best: bool
    """Whether it leads, see :attr:`harness.analysis.leaders.Leaders.leading`."""
    rank: tuple[int, int] | None

    @property
    def value(self) -> float | None:
        return self.row.mean if self.row else None

    @property
    def n(self) -> int:
        """Seeds that have a result."""
        return self.row.n if self.row else 0

    @property
    def text(self) -> str:
        """``96.4``, ``96.4  2/3`` where seeds are missing, ``failed  0/3``; ``!`` under the floor, and the row's signs."""
        if self.row is None:
            return f"{self.lacks.state}  {seeds(0, self.lacks)}" if self.lacks else ""
        marks = [seeds(self.row.n, self.lacks) if self.lacks else "", "!" * self.row.below_floor, *self.row.signs]
        return "  ".join(filter(None, [number(self.row.mean, self.row.unit), *marks]))


@dataclass(frozen=True)
class Place:
    """Where a method stands among those of its slot, over the benchmarks that have all of them."""

    rank: float
    """Mean over the benchmarks, 1 is best."""
    seeds: tuple[float, float]
    """Its 95 % interval for other seeds on the same benchmarks."""
    methods: int
    benchmarks: tuple[str, ...]

    @property
    def text(self) -> str:
        """``2.7 (1.4–4.0)``."""
        low, high = (number(end, RANK) for end in self.seeds)
        return f"{number(self.rank, RANK)} ({low}–{high})"


@dataclass(frozen=True)
class Line:
    """A method."""

    method: str
    slot: str
    overall: Place | None
    cells: tuple[Cell | None, ...]
    """One per column; ``None`` where it was never asked for."""


@dataclass(frozen=True)
class Filters:
    """What is looked at; an empty collection lets all through."""

    families: Collection[str] = ()
    tiers: Collection[str] = ()
    slots: Collection[str] = ()
    methods: Collection[str] = ()
    benchmarks: Collection[str] = ()
    search: str = ""
    """Words, each part of the name of a method or benchmark; a method is shown where all are in it or in one of its benchmarks."""
    seeds: int = 0
    """The least a cell needs; where 0, methods without a result are shown too."""


@dataclass(frozen=True)
class Grid:
    """Lines by slot, and within one by their place over all."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    """What is not in the grid, and what the places leave out."""
    board: Board
    """What the cells are made of, standing as among all."""

    @cached_property
    def failed(self) -> list[Missing]:
        """Failures among the cells that are shown."""
        found = [cell.lacks for line in self.lines for cell in line.cells if cell and cell.lacks]
        return [lacks for lacks in found if "failed" in lacks.counts]


@dataclass(frozen=True)
class Options:
    """What a filter can choose from, in the order of the board."""

    families: tuple[str, ...]
    tiers: tuple[str, ...]
    slots: tuple[str, ...]
    methods: tuple[str, ...]
    benchmarks: tuple[str, ...]
    seeds: int
    """The most that a cell has."""


def options(board: Board) -> Options:
    """Of all blocks of a board, methods by name."""
    columns = [*_columns(board)]
    rows = [row for row in board.rows if row.primary]
    slots = dict.fromkeys([*(row.slot for row in rows), *(lacks.slot for lacks in board.missing)])
    methods = {row.method for row in rows} | {lacks.method for lacks in board.missing}
    named = (dict.fromkeys(getattr(column, name) for column in columns) for name in ("family", "tier", "benchmark"))
    families, tiers, benchmarks = (tuple(some) for some in named)
    return Options(families, tiers, tuple(slots), tuple(sorted(methods)), benchmarks, max((row.n for row in rows), default=0))


def columns(board: Board, filters: Filters, apart: bool) -> tuple[Column, ...]:
    """The blocks that the filters let through.

    Args:
        apart: further settings of a benchmark too, each as a column of its own.
    """
    return tuple(column for column in _columns(board) if _shows(column, filters) and (apart or not column.apart))


def over_all(board: Board, blocks: Collection[Block]) -> Summary:
    """Places over some blocks."""
    return overall(board.part(lambda block, _: block in blocks))


def grid(board: Board, filters: Filters | None = None, *, apart: bool = False, summary: Summary | None = None) -> Grid:
    """The board as a grid.

    Marks of ties and ranks are those among all methods of a block, whichever are shown; places over all are over the benchmarks that
    are shown.

    Args:
        board: with primary metrics at least.
        apart: as :func:`columns`.
        summary: :func:`over_all` of these columns, where it is known already.
    """
    filters = filters or Filters()
    chosen = columns(board, filters, apart)
    blocks = {column.block for column in chosen}
    summary = summary or over_all(board, blocks)
    places, slots = _places(summary), _slots(board)
    lines = []
    for method, cells in _cells(board, blocks).items():
        kept = {block: cell for block, cell in cells.items() if cell.n >= filters.seeds}
        if kept and _is_wanted(method, slots[method], [block[0] for block in kept], filters):
            lines.append(Line(method, slots[method], places.get(method), tuple(kept.get(column.block) for column in chosen)))
    order = {slot: index for index, slot in enumerate(dict.fromkeys(slots.values()))}
    lines.sort(key=lambda line: (order[line.slot], line.overall.rank if line.overall else math.inf, line.method))
    used = [index for index in range(len(chosen)) if any(line.cells[index] for line in lines)]
    lines = [replace(line, cells=tuple(line.cells[index] for index in used)) for line in lines]
    shown = tuple(chosen[index] for index in used)
    there = {(column.block, line.method) for line in lines for column, cell in zip(shown, line.cells, strict=True) if cell}
    part = board.part(lambda block, method: (block, method) in there)
    return Grid(shown, tuple(lines), (*board.notes, *_told(summary)), part)


def _slots(board: Board) -> dict[str, str]:
    """Method -> slot."""
    found: dict[str, str] = {}
    for row in board.rows:
        found.setdefault(row.method, row.slot)
    for lacks in board.missing:
        found.setdefault(lacks.method, lacks.slot)
    return found


def _cells(board: Board, blocks: Collection[Block]) -> dict[str, dict[Block, Cell]]:
    """Method -> block -> cell."""
    found: dict[str, dict[Block, Cell]] = {}
    primary: dict[Block, list[Row]] = {}
    for row in board.rows:
        if row.primary and row.block in blocks:
            primary.setdefault(row.block, []).append(row)
    for rows in primary.values():
        standing = board.standing(rows[0])
        leading = leaders(standing).leading
        for row in rows:
            cell = Cell(row, board.lacks(row.block, row.method), row.method in leading, standing.ranks.get(row.method))
            found.setdefault(row.method, {})[row.block] = cell
    for lacks in board.missing:
        if not lacks.ended and lacks.block in blocks:
            found.setdefault(lacks.method, {})[lacks.block] = Cell(None, lacks, False, None)
    return found


def _columns(board: Board) -> list[Column]:
    """One per block, those without any result behind the others."""
    found, seen = [], set()
    for block, methods in board.blocks().items():
        rows = [row for some in methods.values() for row in some if row.primary]
        if rows:
            first, version = rows[0], block[:2]
            about = (first.family, first.tier, first.metric, first.unit, first.higher_is_better, first.differs, first.floor)
            found.append(Column(block, *about, apart=version in seen))
            seen.add(version)
    for block, missing in board.empty.items():
        trial, version = missing[0].trials[0], block[:2]
        found.append(Column(block, trial.family, trial.tier, "", "", True, missing[0].differs, None, apart=version in seen))
        seen.add(version)
    return found


def _shows(column: Column, filters: Filters) -> bool:
    wanted = ((column.family, filters.families), (column.tier, filters.tiers), (column.benchmark, filters.benchmarks))
    return all(not some or name in some for name, some in wanted)


def _is_wanted(method: str, slot: str, benchmarks: list[str], filters: Filters) -> bool:
    if (filters.slots and slot not in filters.slots) or (filters.methods and method not in filters.methods):
        return False
    words = filters.search.casefold().split()
    return any(all(word in f"{method} {slot} {name}".casefold() for word in words) for name in benchmarks)


def _tables(summary: Summary) -> list[Overall]:
    """One of each slot: that of the budget that most benchmarks have, as registered where tuned ones are no more."""
    found: dict[str, Overall] = {}
    for table in summary.tables:
        if table.slot not in found or len(found[table.slot].benchmarks) < len(table.benchmarks):
            found[table.slot] = table
    return [*found.values()]


def _places(summary: Summary) -> dict[str, Place]:
    return {
        method: Place(float(mean), (float(low), float(high)), len(table.methods), table.benchmarks)
        for table in _tables(summary)
        for method, mean, (low, high) in zip(table.methods, table.mean.mean, table.mean.seeds, strict=True)
    }


def _told(summary: Summary) -> list[str]:
    tables = [
        f"places over all, {table.slot}: {note}"
        for table in _tables(summary)
        for note in ([table.budget] if table.budget else []) + [note for note in table.notes if note.startswith(("left out", "seeds with"))]
    ]
    return [*(f"places over all: {note}" for note in summary.notes), *tables]
