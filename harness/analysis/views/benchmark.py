"""One benchmark: who stands where, by the primary metric, by all others, by parts of the test set, and at which cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.analysis.board import Block, Board, Interval, Row
from harness.analysis.claims.published import Beside
from harness.analysis.inference.pareto import pareto_front
from harness.analysis.leaders import Leaders, leaders
from harness.analysis.missing import Missing, seeds
from harness.analysis.numbers import rank
from harness.analysis.settings import changed
from harness.analysis.standing import Standing
from harness.outcome import COSTS

Kind = Literal["method", "floor", "missing"]


@dataclass(frozen=True)
class Line:
    """A line of the table: a method with results, the floor, or a method without any."""

    kind: Kind
    method: str
    """``floor`` for the floor."""
    slot: str = ""
    mean: float | None = None
    ci95: tuple[float, float] | None = None
    interval: Interval | None = None
    rank: tuple[int, int] | None = None
    tied: str = ""
    best: bool = False
    """Whether it leads, see :attr:`Leaders.leading`."""
    open: bool = False
    """Whether it is in the tie group of the best by its spread alone, see :attr:`Leaders.open`."""
    row: Row | None = None
    """Of the primary metric."""
    lacks: Missing | None = None
    published: tuple[Beside, ...] = ()
    """What papers print of it."""

    @property
    def n(self) -> int:
        """Seeds that have a result."""
        return self.row.n if self.row else 0

    @property
    def seeds(self) -> str:
        """``3``, ``2/3`` where some are missing; empty for the floor."""
        return "" if self.kind == "floor" else seeds(self.n, self.lacks)

    @property
    def ranks(self) -> str:
        """Where it may stand; empty where that is not known."""
        return rank(self.rank) if self.rank else ""

    @property
    def cost(self) -> dict[str, float | None]:
        """Each of :data:`COSTS` in the unit of its title."""
        return {quantity.title: quantity.shown(getattr(self.row.cost, name)) if self.row else None for name, quantity in COSTS.items()}

    @property
    def remarks(self) -> str:
        """What a reader should know before believing the mean."""
        told = [self.lacks.told if self.lacks else ""]
        if self.row:
            told += [
                "below the floor" * self.row.below_floor,
                f"attention collapsed in {self.row.collapsed} of {self.n}" * bool(self.row.collapsed),
                changed(self.row.overrides),
            ]
            told += ["interval over test samples" * (self.interval == "samples")]
        return "; ".join(filter(None, told))


@dataclass(frozen=True)
class Table:
    """One block of a benchmark, best method first; the floor stands where it ranks, methods without a result behind all."""

    block: Block
    family: str
    tier: str
    metric: str
    """The primary one; empty where nothing has a result yet."""
    title: str
    unit: str
    higher_is_better: bool
    differs: str
    floor: float | None
    lines: tuple[Line, ...]
    standing: Standing | None
    leaders: Leaders = field(default_factory=Leaders)

    @property
    def axis(self) -> str:
        """``top1 (%), higher is better``."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.metric}{unit}, {'higher' if self.higher_is_better else 'lower'} is better"

    @property
    def name(self) -> str:
        """Which block it is of its benchmark's version."""
        return self.differs or "as registered"

    @property
    def sentence(self) -> str:
        """What the seeds can tell apart; empty where nothing can be judged."""
        return self.standing.sentence() if self.standing else ""

    @property
    def rows(self) -> list[Row]:
        """Of the primary metric, best first."""
        return [line.row for line in self.lines if line.row]


def tables(board: Board, benchmark: str, published: Iterable[Beside] = ()) -> list[Table]:
    """The blocks of a benchmark, newest version and registered setting first."""
    printed: dict[tuple[str, str], list[Beside]] = {}
    for beside in published:
        if beside.benchmark == benchmark:
            printed.setdefault((beside.method, beside.metric), []).append(beside)
    found = []
    for block, methods in board.blocks().items():
        rows = [row for some in methods.values() for row in some if row.primary]
        if block[0] == benchmark and rows:
            first, standing = rows[0], board.standings[block]
            ahead = leaders(standing)
            lines = _lines(board, rows, standing, ahead, printed)
            about = (first.family, first.tier, first.metric, first.title, first.unit, first.higher_is_better, first.differs, first.floor)
            found.append(Table(block, *about, tuple(lines), standing if standing.judged else None, ahead))
    for block, missing in board.empty.items():
        if block[0] == benchmark:
            trial = missing[0].trials[0]
            lines = [_without(lacks) for lacks in missing]
            found.append(Table(block, trial.family, trial.tier, "", "", "", True, missing[0].differs, None, tuple(lines), None))
    return found


def _lines(
    board: Board, rows: Sequence[Row], standing: Standing, ahead: Leaders, printed: dict[tuple[str, str], list[Beside]]
) -> list[Line]:
    lines = []
    floor = Line("floor", "floor", mean=rows[0].floor) if rows[0].floor is not None else None
    for row in rows:
        if floor and row.below_floor:
            lines.append(floor)
            floor = None
        line = Line(
            "method",
            row.method,
            row.slot,
            row.mean,
            row.ci95,
            row.interval,
            standing.ranks.get(row.method),
            standing.tied.get(row.method, ""),
            row.method in ahead.leading,
            row.method in ahead.open,
            row,
            board.lacks(row.block, row.method),
            tuple(printed.get((row.method, row.metric), ())),
        )
        lines.append(line)
    return [*lines, *([floor] if floor else []), *(_without(lacks) for lacks in board.without(rows[0].block))]


def _without(lacks: Missing) -> Line:
    return Line("missing", lacks.method, lacks.slot, lacks=lacks)


@dataclass(frozen=True)
class Measured:
    """A metric of every method of a block."""

    metric: str
    """With its part behind ``/`` where it has one."""
    title: str
    unit: str
    higher_is_better: bool
    floor: float | None
    rows: dict[str, Row]
    """Method -> row, in the order of the primary metric."""


@dataclass(frozen=True)
class Parts:
    """A metric by what it is told apart by, for a heat map."""

    metric: str
    of: str
    """``class``, ``scene``, ``joint`` or ``threshold``."""
    title: str
    unit: str
    higher_is_better: bool
    parts: tuple[str, ...]
    methods: tuple[str, ...]
    """In the order of the primary metric."""
    values: dict[tuple[str, str], Row]
    """(method, part) -> row."""


def metrics(board: Board, block: Block) -> list[Measured]:
    """The metrics of a block in the benchmark's own order, the primary one first; those of single parts behind the others."""
    found: dict[str, Measured] = {}
    for rows in board.blocks().get(block, {}).values():
        for row in rows:
            some = found.setdefault(row.metric, Measured(row.metric, row.title, row.unit, row.higher_is_better, row.floor, {}))
            some.rows[row.method] = row
    return sorted(found.values(), key=lambda some: "/" in some.metric)


_PARTS = {
    "classification": "class",
    "camera-localization": "scene",
    "keypoint": "joint",
    "segmentation": "class",
    "object-localization": "class",
}
"""What ``metric/part`` names the part of."""


def parts(measured: Sequence[Measured], family: str) -> list[Parts]:
    """The metrics that are reported for parts of the test set, or at several thresholds (``name@0.5``)."""
    grouped: dict[tuple[str, str], list[tuple[str, Measured]]] = {}
    for some in measured:
        name, parted, part = some.metric.partition("/")
        if not parted:
            name, parted, part = some.metric.rpartition("@")
        if parted and part:
            of = "threshold" if parted == "@" else _PARTS.get(family, "part")
            grouped.setdefault((name, of), []).append((part, some))
    found = []
    methods = tuple(dict.fromkeys(method for some in measured for method in some.rows))
    for (name, of), named in grouped.items():
        if len(named) > 1:
            first = named[0][1]
            values = {(method, part): row for part, some in named for method, row in some.rows.items()}
            shown = tuple(method for method in methods if any((method, part) in values for part, _ in named))
            title = first.title if of != "threshold" else name
            found.append(Parts(name, of, title, first.unit, first.higher_is_better, tuple(part for part, _ in named), shown, values))
    return found


@dataclass(frozen=True)
class Point:
    """A method's primary metric against a cost."""

    method: str
    mean: float
    ci95: tuple[float, float] | None
    cost: float
    """In the unit of the cost's title."""
    front: bool
    """Whether no other method is as good and as cheap."""


def pareto(rows: Sequence[Row], cost: str) -> list[Point]:
    """The methods whose cost is known, the cheapest first.

    Args:
        rows: of the primary metric of one block.
        cost: a key of :data:`COSTS`.
    """
    priced = [(row, float(value)) for row in rows if (value := getattr(row.cost, cost)) is not None and math.isfinite(row.mean)]
    if not priced:
        return []
    on_front = pareto_front([row.mean for row, _ in priced], [value for _, value in priced], higher_is_better=rows[0].higher_is_better)
    points = [
        Point(row.method, row.mean, row.ci95, value / COSTS[cost].scale, bool(front))
        for (row, value), front in zip(priced, on_front, strict=True)
    ]
    return sorted(points, key=lambda point: (point.cost, not point.front))


@dataclass(frozen=True)
class Resolution:
    """What a number of seeds shows."""

    seeds: int
    least: float
    """The smallest difference of two methods of median spread that is found with a chance of 80 %."""


def resolution(standing: Standing, most: int = 20) -> list[Resolution]:
    """From 2 seeds to ``most``."""
    return [Resolution(count, standing.shows(count)) for count in range(2, most + 1)]
