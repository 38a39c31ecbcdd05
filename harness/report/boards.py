"""A section per leaderboard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.analysis import diagnostic_tables
from harness.analysis.diagnostics import Diagnostic, in_order
from harness.analysis.inference.scales import scale_of
from harness.analysis.leaderboard import Block, Board, Row
from harness.analysis.missing import Missing, seeds
from harness.analysis.numbers import NOTHING, limits, number, rank
from harness.analysis.standing import Standing
from harness.outcome import COSTS
from harness.report.drawing import Axis, axis, cost_axis


@dataclass(frozen=True)
class Strip:
    """A method's seeds and interval on the axis of its table, in percent."""

    seeds: tuple[float, ...]
    mean: float | None
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class Line:
    """A method, the floor, or a method without a result."""

    rank: str
    method: str
    score: str
    limits: str
    strip: Strip | None
    tied: str
    seeds: str
    further: tuple[str, ...]
    """Under :attr:`Section.further`."""
    first: bool = False
    """Whether it may be the best."""
    floor: bool = False
    marks: tuple[str, ...] = ()
    """What a reader should know of it."""


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
class Section:
    """One block of the board."""

    anchor: str
    name: str
    about: Mapping[str, str]
    """What stands below the heading."""
    sentence: str
    """What its seeds can tell apart."""
    metric: str
    unit: str
    better: str
    """``higher`` or ``lower``."""
    axis: Axis | None
    floor: float | None
    """Its place on the axis, in percent."""
    floor_text: str
    further: tuple[str, ...]
    lines: tuple[Line, ...]
    costs: tuple[Costs, ...]
    measures: tuple[str, ...]
    """Diagnostics of the attention, a column each."""
    diagnosed: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(method, seeds, a cell per measure)."""
    renormalised: str
    """What a mark in these cells says; empty where there is none."""


def sections(board: Board, diagnostics: Sequence[Diagnostic]) -> list[Section]:
    """A section per block."""
    found = []
    for place, (block, methods) in enumerate(board.blocks().items(), 1):
        rows = [row for some in methods.values() for row in some]
        mine = [
            row for row in diagnostics if (row.benchmark, row.version, row.differs) == (rows[0].benchmark, rows[0].version, rows[0].differs)
        ]
        found.append(_section(f"board-{place}", board, block, methods, mine))
    return found


@dataclass(frozen=True)
class Absent:
    """A method without any result."""

    method: str
    seeds: str
    told: str


@dataclass(frozen=True)
class Waiting:
    """A block without any."""

    name: str
    lines: tuple[Absent, ...]


def waiting(board: Board) -> list[Waiting]:
    """What was asked for in blocks that have no result yet."""
    found = []
    for (benchmark, version, _), missing in board.empty.items():
        differs = f" · {missing[0].differs}" if missing[0].differs else ""
        lines = tuple(Absent(lacks.method, seeds(0, lacks), lacks.told) for lacks in missing)
        found.append(Waiting(f"{benchmark} v{version}{differs}", lines))
    return found


def _section(anchor: str, board: Board, block: Block, methods: Mapping[str, list[Row]], diagnostics: Sequence[Diagnostic]) -> Section:
    primary = [row for rows in methods.values() for row in rows if row.primary]
    first = (primary or next(iter(methods.values())))[0]
    standing = board.standing(first)
    floor = next((row.floor for row in primary if row.floor is not None), None)
    scale = _axis(primary, floor)
    names = [
        name
        for name in dict.fromkeys(row.metric for rows in methods.values() for row in rows if "/" not in row.metric)
        if name != first.metric
    ]
    units = {row.metric: row.unit for rows in methods.values() for row in rows}
    costs = [name for name in COSTS if any(getattr(rows[0].cost, name) is not None for rows in methods.values())]
    maps = any(rows[0].map for rows in methods.values())
    lines = _lines(board, block, methods, standing, scale, names, costs, maps)
    measures, diagnosed, mark = _diagnosed(diagnostics)
    setting = first.setting
    about = {
        "version": str(first.version),
        "family": first.family,
        "tier": first.tier,
        "run": first.differs or setting.budget or "as registered",
        "device": setting.device or "unknown",
        "dataset": first.dataset,
        "setting": setting.digest,
    }
    return Section(
        anchor=anchor,
        name=first.benchmark,
        about=about,
        sentence=standing.sentence(),
        metric=first.metric,
        unit=first.unit,
        better="higher" if first.higher_is_better else "lower",
        axis=scale,
        floor=scale.at(floor) if scale and floor is not None and scale.shows(floor) else None,
        floor_text=number(floor, first.unit),
        further=(*(f"{name} [{units[name] or '1'}]" for name in names), *(COSTS[name].heading for name in costs), *["map"] * maps),
        lines=tuple(lines),
        costs=tuple(found for name in costs if (found := _against(primary, name))),
        measures=measures,
        diagnosed=diagnosed,
        renormalised=mark,
    )


def _axis(rows: Sequence[Row], floor: float | None) -> Axis | None:
    if not rows:
        return None
    values = [value for row in rows for value in (*row.values, *(row.ci95 or ()))]
    return axis(values, floor=floor, bounds=scale_of(rows[0].unit, values).within((-math.inf, math.inf)))


def _lines(
    board: Board,
    block: Block,
    methods: Mapping[str, list[Row]],
    standing: Standing,
    scale: Axis | None,
    names: Sequence[str],
    costs: Sequence[str],
    maps: bool,
) -> list[Line]:
    lines: list[Line] = []
    floor = _floor(methods, names, len(costs) + maps)
    for place, (method, rows) in enumerate(methods.items(), 1):
        first = rows[0]
        if floor and first.below_floor:
            lines.append(floor)
            floor = None
        by_metric = {row.metric: row for row in rows}
        further = [number(row.mean, row.unit) if (row := by_metric.get(name)) else NOTHING for name in names]
        further += [*first.cost.texts(costs), *[first.map or NOTHING] * maps]
        ranks = standing.ranks.get(method)
        lacks = board.lacks(block, method)
        lines.append(
            Line(
                rank=rank(ranks) if standing.judged else str(place),
                method=method,
                score=number(first.mean, first.unit) if first.primary else NOTHING,
                limits=limits(first.ci95, first.unit) + " s" * (first.interval == "samples") if first.primary else NOTHING,
                strip=_strip(first, scale),
                tied=standing.tied.get(method, NOTHING) if standing.judged else "",
                seeds=seeds(first.n, lacks),
                further=tuple(further),
                first=ranks[0] == 1 if ranks else False,
                marks=_marks(first, lacks),
            )
        )
    absent = [_absent(lacks, len(names) + len(costs) + maps) for lacks in board.without(block)]
    return [*lines, *([floor] if floor else []), *absent]


def _strip(row: Row, scale: Axis | None) -> Strip | None:
    if scale is None or not row.primary:
        return None
    ends = (scale.at(row.ci95[0]), scale.at(row.ci95[1])) if row.ci95 and not any(map(math.isnan, row.ci95)) else None
    seen = tuple(scale.at(value) for value in row.values if math.isfinite(value))
    return Strip(seen, scale.at(row.mean) if math.isfinite(row.mean) else None, ends)


def _marks(row: Row, lacks: Missing | None) -> tuple[str, ...]:
    marks = []
    if row.below_floor:
        marks.append("below floor")
    if row.collapsed:
        marks.append(f"collapsed in {row.collapsed}/{row.n}")
    if lacks:
        marks.append(lacks.told)
    return tuple(marks)


def _floor(methods: Mapping[str, list[Row]], names: Sequence[str], blank: int) -> Line | None:
    """What the trivial predictor reaches; ``blank`` columns stay empty."""
    found = {row.metric: row for rows in methods.values() for row in rows if row.floor is not None}
    if not found:
        return None
    primary = next((row for row in found.values() if row.primary), None)
    further = [number(row.floor, row.unit) if (row := found.get(name)) else "" for name in names] + [""] * blank
    return Line("", "floor", number(primary.floor, primary.unit) if primary else "", "", None, "", "", tuple(further), floor=True)


def _absent(lacks: Missing, blank: int) -> Line:
    """A method without any result."""
    return Line("", lacks.method, NOTHING, NOTHING, None, "", seeds(0, lacks), ("",) * blank, marks=(lacks.told,))


def _against(rows: Sequence[Row], cost: str) -> Costs | None:
    """The primary metric against a cost; ``None`` where fewer than two methods have both."""
    priced = [(row, float(price)) for row in rows if (price := getattr(row.cost, cost)) is not None and math.isfinite(row.mean)]
    quantity = COSTS[cost]
    x = cost_axis([price / quantity.scale for _, price in priced])
    y = _axis([replace(row, values=(row.mean,)) for row, _ in priced], None)
    if len(priced) < 2 or x is None or y is None:
        return None
    board = Board([row for row, _ in priced])
    best = set[str]().union(*board.fronts([cost]).values())
    front = [row.method for row, price in sorted(priced, key=lambda pair: (pair[1], pair[0].method)) if row.method in best]
    points = []
    for row, price in priced:
        ends = (y.at(row.ci95[0]), y.at(row.ci95[1])) if row.ci95 and not any(map(math.isnan, row.ci95)) else None
        text = f"{row.method}: {row.metric} {number(row.mean, row.unit)} {row.unit} · {quantity.title} {quantity.text(price)}"
        place = front.index(row.method) + 1 if row.method in best else None
        points.append(Point(x.at(price / quantity.scale), y.at(row.mean), ends, text, place))
    others = [point for point in points if point.number is None]
    edge = _numbered(sorted((point for point in points if point.number is not None), key=lambda point: point.number or 0))
    steps = [line for one, two in pairwise(edge) for line in ((one.x, one.y, two.x, one.y), (two.x, one.y, two.x, two.y))]
    return Costs(quantity.title, x, y, (*others, *edge), tuple(front), tuple(steps))


_BESIDE = ((8, -6), (-8, -6), (8, 14), (-8, 14), (20, -6), (-20, -6), (20, 14), (-20, 14), (0, -22), (0, 30))


def _numbered(points: Sequence[Point]) -> list[Point]:
    """Points with their numbers where they cover no other point of these and no other number, on a chart of about 300 x 200 pixels."""
    taken = [(3 * point.x, 2 * (100 - point.y)) for point in points]
    found = []
    for point in points:
        here = 3 * point.x, 2 * (100 - point.y)

        def clear(beside: tuple[int, int], here: tuple[float, float] = here) -> bool:
            x, y = here[0] + beside[0], here[1] + beside[1] - 4  # the middle of the number
            return all(max(abs(x - left), abs(y - top)) > 9 for left, top in taken)

        beside = next(filter(clear, _BESIDE), _BESIDE[0])
        taken.append((here[0] + beside[0], here[1] + beside[1] - 4))
        found.append(replace(point, beside=beside))
    return found


_Diagnosed = tuple[tuple[str, ...], tuple[tuple[str, str, tuple[str, ...]], ...], str]


def _diagnosed(rows: Sequence[Diagnostic]) -> _Diagnosed:
    """Measures over all layers, a line per method, and what a mark in them says."""
    whole = [row for row in rows if row.layer is None]
    measures = in_order(row.measure for row in whole)
    by_method: dict[str, dict[str, Diagnostic]] = {}
    for row in whole:
        by_method.setdefault(row.method, {})[row.measure] = row
    lines = tuple(
        (method, str(max(row.summary.n for row in found.values())), tuple(diagnostic_tables.cell(found.get(name)) for name in measures))
        for method, found in by_method.items()
    )
    return tuple(measures), lines, diagnostic_tables.EXPLAINED if any(row.renormalised for row in whole) else ""
