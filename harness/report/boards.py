"""A section per leaderboard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.analysis import diagnostic_tables
from harness.analysis.board import Block, Board, Row
from harness.analysis.diagnostics import Diagnostic, in_order
from harness.analysis.inference.scales import reach
from harness.analysis.numbers import NOTHING, limits, number
from harness.analysis.views import benchmark as views
from harness.outcome import COSTS
from harness.report.drawing import Axis, axis, cost_axis

if TYPE_CHECKING:
    from harness.analysis.claims.published import Beside


@dataclass(frozen=True)
class Strip:
    """A method's seeds and interval on the axis of its table, in percent."""

    seeds: tuple[float, ...]
    mean: float | None
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class Line:
    """A line of the table as it is shown."""

    of: views.Line
    score: str
    limits: str
    strip: Strip | None
    further: tuple[str, ...]
    """Under :attr:`Section.further`."""


@dataclass(frozen=True)
class Point:
    """A method by cost and score, in percent from the lower left corner."""

    x: float
    y: float
    ends: tuple[float, float] | None
    """Of the interval."""
    text: str
    number: int | None = None
    """Its place in :attr:`Costs.front`; ``None`` for a method that another beats in both."""
    beside: tuple[int, int] = (0, 0)
    """Where the number stands, in pixels from the point."""


@dataclass(frozen=True)
class Costs:
    """Score against one cost."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    front: tuple[str, ...]
    """Methods that no other beats, cheapest first."""
    steps: tuple[tuple[float, float, float, float], ...]
    """The front as lines, (x, y) to (x, y)."""


@dataclass(frozen=True)
class Diagnosed:
    """The attention of one method in numbers."""

    method: str
    seeds: int
    cells: tuple[str, ...]
    """Under :attr:`Section.measures`."""


@dataclass(frozen=True)
class Section:
    """One block of the board."""

    anchor: str
    table: views.Table
    about: tuple[tuple[str, str], ...]
    """What stands below the heading."""
    axis: Axis | None
    floor: float | None
    """Its place on the axis, in percent."""
    beyond: str
    """The floor where the axis does not reach it; empty where it does."""
    further: tuple[str, ...]
    """Headings of other metrics and of costs."""
    lines: tuple[Line, ...]
    costs: tuple[Costs, ...]
    measures: tuple[str, ...]
    """Diagnostics of the attention, over all layers."""
    diagnosed: tuple[Diagnosed, ...]
    renormalised: str
    """What a mark in their cells says; empty where there is none."""


def sections(board: Board, diagnostics: Sequence[Diagnostic], printed: Iterable[Beside] = ()) -> list[Section]:
    """A section per block, in the order of the board; those without any result behind the others of their benchmark.

    Args:
        printed: what papers print of the same metrics.
    """
    printed = [*printed]
    names = dict.fromkeys(block[0] for block in (*board.blocks(), *board.empty))
    tables = [table for name in names for table in views.tables(board, name, printed)]
    return [_section(f"board-{place}", board, table, diagnostics) for place, table in enumerate(tables, 1)]


def _section(anchor: str, board: Board, table: views.Table, diagnostics: Sequence[Diagnostic]) -> Section:
    name, version, setting = table.block
    rows = table.rows
    scale = _axis(rows, table.floor)
    mine = [row for row in diagnostics if (row.benchmark, row.version, row.differs) == (name, version, table.differs) and row.layer is None]
    measures = in_order(row.measure for row in mine)
    further, cells = _further(board, table)
    about = {
        "family": table.family,
        "tier": table.tier,
        "run": table.differs or "as registered",
        "device": setting.device,
        "dataset": rows[0].dataset if rows else "",
        "setting": setting.digest,
    }
    shows_floor = scale is not None and scale.shows(table.floor)
    return Section(
        anchor=anchor,
        table=table,
        about=tuple((what, text) for what, text in about.items() if text),
        axis=scale,
        floor=scale.at(table.floor) if scale and table.floor is not None and shows_floor else None,
        beyond=number(table.floor, table.unit) if table.floor is not None and not shows_floor else "",
        further=further,
        lines=tuple(_line(line, table, scale, cells[line.method, line.kind]) for line in table.lines),
        costs=tuple(found for cost in COSTS if (found := _against(table, cost))),
        measures=tuple(measures),
        diagnosed=tuple(_diagnosed(mine, measures)),
        renormalised=diagnostic_tables.EXPLAINED if any(row.renormalised for row in mine) else "",
    )


def _axis(rows: Sequence[Row], floor: float | None) -> Axis | None:
    """Around seeds, intervals and the floor, within what the metric can be."""
    if not rows:
        return None
    values = [value for row in rows for value in (*row.values, *(row.ci95 or ()))]
    return axis(values, floor=floor, bounds=reach(rows[0].unit, values))


def _ends(scale: Axis, ci95: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ci95 is None or any(map(math.isnan, ci95)) else (scale.at(ci95[0]), scale.at(ci95[1]))


def _line(line: views.Line, table: views.Table, scale: Axis | None, further: tuple[str, ...]) -> Line:
    strip = None
    if scale and line.row:
        seen = tuple(scale.at(value) for value in line.row.values if math.isfinite(value))
        strip = Strip(seen, scale.at(line.row.mean) if math.isfinite(line.row.mean) else None, _ends(scale, line.ci95))
    ends = "" if line.ci95 is None else limits(line.ci95, table.unit) + " s" * (line.interval == "samples")
    return Line(line, number(line.mean, table.unit), ends, strip, further)


def _further(board: Board, table: views.Table) -> tuple[tuple[str, ...], dict[tuple[str, views.Kind], tuple[str, ...]]]:
    """Headings and, by method and kind of line, cells of what stands behind the primary metric: others, costs, the map, papers."""
    others = [some for some in views.metrics(board, table.block) if "/" not in some.metric and some.metric != table.metric]
    costs = [name for name in COSTS if any(getattr(row.cost, name) is not None for row in table.rows)]
    maps = any(row.map for row in table.rows)
    printed = any(line.published for line in table.lines)
    headings = [*(f"{some.metric} [{some.unit or '1'}]" for some in others), *(COSTS[name].heading for name in costs)]
    cells: dict[tuple[str, views.Kind], tuple[str, ...]] = {}
    for line in table.lines:
        found = [""] * (len(costs) + maps + printed)
        values = [some.floor if line.kind == "floor" else row.mean if (row := some.rows.get(line.method)) else None for some in others]
        if line.row:
            found = [
                *line.row.cost.texts(costs, line.row.rough),
                *[line.row.map or NOTHING] * maps,
                *["; ".join(map(_printed, line.published))] * printed,
            ]
        blank = "" if line.kind != "method" else NOTHING
        texts = [blank if value is None else number(value, some.unit) for value, some in zip(values, others, strict=True)]
        cells[line.method, line.kind] = (*texts, *found)
    return (*headings, *["map"] * maps, *["published"] * printed), cells


def _printed(beside: Beside) -> str:
    return f"{beside.published.value:g} {beside.published.unit} ({beside.published.table_title})"


def _against(table: views.Table, cost: str) -> Costs | None:
    """The primary metric against a cost; ``None`` where fewer than two methods have both."""
    found = views.pareto(table.rows, cost)
    x = cost_axis([point.cost for point in found])
    means = {point.method for point in found}
    y = _axis([replace(row, values=(row.mean,)) for row in table.rows if row.method in means], None)
    if len(found) < 2 or x is None or y is None:
        return None
    front = [point.method for point in found if point.front]
    quantity = COSTS[cost]
    points = [
        Point(
            x.at(point.cost),
            y.at(point.mean),
            _ends(y, point.ci95),
            f"{point.method}: {table.metric} {number(point.mean, table.unit)} {table.unit} · "
            f"{quantity.title} {quantity.text(point.cost * quantity.scale)}",
            front.index(point.method) + 1 if point.front else None,
        )
        for point in found
    ]
    edge = _numbered([point for point in points if point.number is not None])
    steps = [line for one, two in pairwise(edge) for line in ((one.x, one.y, two.x, one.y), (two.x, one.y, two.x, two.y))]
    return Costs(quantity.title, x, y, (*(point for point in points if point.number is None), *edge), tuple(front), tuple(steps))


_BESIDE = ((8, -6), (-8, -6), (8, 14), (-8, 14), (20, -6), (-20, -6), (20, 14), (-20, 14), (0, -22), (0, 30))


def _numbered(points: Sequence[Point]) -> list[Point]:
    """Points with their numbers where they cover no other point of these and no other number, on a chart of about 300 x 200 pixels."""
    taken = [(3 * point.x, 2 * (100 - point.y)) for point in points]
    found = []
    for point in points:
        here = 3 * point.x, 2 * (100 - point.y)
        middles = {beside: (here[0] + beside[0], here[1] + beside[1] - 4) for beside in _BESIDE}
        clear = [beside for beside, (x, y) in middles.items() if all(max(abs(x - left), abs(y - top)) > 9 for left, top in taken)]
        beside = clear[0] if clear else _BESIDE[0]
        taken.append(middles[beside])
        found.append(replace(point, beside=beside))
    return found


def _diagnosed(rows: Sequence[Diagnostic], measures: Sequence[str]) -> Iterable[Diagnosed]:
    """A line per method, in the order of the board."""
    by_method: dict[str, dict[str, Diagnostic]] = {}
    for row in rows:
        by_method.setdefault(row.method, {})[row.measure] = row
    for method, found in by_method.items():
        seeds = max(row.summary.n for row in found.values())
        yield Diagnosed(method, seeds, tuple(diagnostic_tables.cell(found.get(name)) for name in measures))


def anchors(shown: Iterable[Section]) -> dict[Block, str]:
    """Where in the page each block is."""
    return {section.table.block: section.anchor for section in shown}
