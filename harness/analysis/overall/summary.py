"""Methods of one slot over several benchmarks: mean ranks, and scores between floor and best (docs/statistics.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from harness.analysis.inference.aggregates import LEAST_SEEDS, Aggregate, MeanRank, interquartile_mean, mean_rank, performance_profile
from harness.analysis.inference.friedman import Ranks, friedman
from harness.analysis.leaderboard import Board, Row
from harness.analysis.missing import Missing, listed
from harness.analysis.settings import as_changed
from harness.analysis.standing import fit

THRESHOLDS = (0.5, 0.75, 0.9)
"""Shares of the way from floor to best that a profile counts."""


@dataclass(frozen=True)
class Overall:
    """Methods x benchmarks without a gap; methods in the order of their mean ranks."""

    slot: str
    """Empty where methods of all slots are in it."""
    device: str
    benchmarks: tuple[str, ...]
    methods: tuple[str, ...]
    mean: MeanRank
    means: np.ndarray
    """(benchmarks, methods) of the primary metrics."""
    units: tuple[str, ...]
    """Of each benchmark's metric."""
    higher_is_better: tuple[bool, ...]
    scores: np.ndarray | None = None
    """(methods, seeds, benchmarks), 0 the floor, 1 the best mean of a benchmark; ``None`` under 5 seeds or without a known floor."""
    notes: tuple[str, ...] = field(default=())
    """What is left out, and why."""
    missing: tuple[Missing, ...] = ()
    """Seeds that were asked for and have no result, of methods of the slot on the table's benchmarks, those that are left out too."""

    @cached_property
    def ranks(self) -> Ranks:
        """Friedman's test of the means, and what a critical-difference diagram draws."""
        return friedman(self.means, higher_is_better=self.higher_is_better)

    @cached_property
    def middle(self) -> tuple[Aggregate, ...] | None:
        """Interquartile mean of each method's scores."""
        return None if self.scores is None else tuple(interquartile_mean(some) for some in self.scores)

    @cached_property
    def profile(self) -> tuple[Aggregate, ...] | None:
        """Share of each method's scores above :data:`THRESHOLDS`."""
        return None if self.scores is None else tuple(performance_profile(some, THRESHOLDS) for some in self.scores)


@dataclass(frozen=True)
class Summary:
    """The tables over several benchmarks that a leaderboard allows, and why there are not more."""

    tables: list[Overall]
    notes: list[str]


def overall(board: Board, named: Sequence[str] = ()) -> Summary:
    """One table for each slot whose methods meet on two benchmarks or more.

    Of each benchmark the first block of its newest version counts, and of these the blocks on the kind of device that has most, and of
    these the ones of the budget that most methods were tuned with, or of none. A method needs two seeds on every benchmark of its table:
    the method or benchmark that most results are missing of is left out until none is.

    Args:
        named: one table of these methods instead, whatever their slots, on the benchmarks that have all of them; without scores, since
            the best of a few is no yardstick.
    """
    board = board.of(named) if named else board
    first, apart = board.parted()
    notes = [f"{_plainly(rows[0])}: results of another setting are left out ({rows[0].differs})." for rows in apart]
    primary = [some for rows in first if (some := [row for row in rows if row.primary])]
    newest = {rows[0].benchmark: rows[0].version for rows in sorted(primary, key=lambda rows: rows[0].version)}
    blocks = [rows for rows in primary if rows[0].version == newest[rows[0].benchmark]]
    notes += [f"{_name(rows[0])}: older versions are left out." for rows in primary if rows[0].version < newest[rows[0].benchmark]]
    devices = Counter(rows[0].setting.device for rows in blocks)
    device = devices.most_common(1)[0][0] if devices else ""
    for rows in blocks:
        if (other := rows[0].setting.device) != device:
            notes.append(
                f"{_name(rows[0])} was run on {other or 'an unknown device'}, most were on {device or 'an unknown one'}: left out."
            )
    blocks = [rows for rows in blocks if rows[0].setting.device == device]
    budgets = Counter(rows[0].setting.budget for rows in blocks)
    budget = max(budgets, key=lambda name: (budgets[name], not name), default="")
    for rows in blocks:
        if (other := rows[0].setting.budget) != budget:
            notes.append(f"{_plainly(rows[0])} was run {other or 'as registered'}, others {budget or 'as registered'}: left out.")
    grouped: dict[str, dict[str, dict[str, Row]]] = defaultdict(lambda: defaultdict(dict))
    for rows in blocks:
        if rows[0].setting.budget == budget:
            for row in rows:
                grouped["" if named else row.slot][_name(row)][row.method] = row
    tables = []
    for slot, found in grouped.items():
        if len(found) < 2 or len({method for rows in found.values() for method in rows}) < 2:
            continue
        table, why = _table(slot, device, found, named)
        tables += [_with_missing(table, board, found)] if table else []
        notes += [why] if why else []
    return Summary(tables, notes)


def _plainly(row: Row) -> str:
    return f"{row.benchmark} v{row.version}"


def _name(row: Row) -> str:
    return f"{_plainly(row)} · {row.differs}" if row.differs else _plainly(row)


def _with_missing(table: Overall, board: Board, found: Mapping[str, Mapping[str, Row]]) -> Overall:
    """A method that failed is in no mean rank, and one that failed in some seeds is ranked by the others."""
    blocks = {next(iter(found[name].values())).block: name for name in table.benchmarks}
    missing = tuple(lacks for lacks in board.missing if lacks.block in blocks and table.slot in ("", lacks.slot))
    if not missing:
        return table
    said = f"seeds with a result: {listed(missing, [blocks[lacks.block] for lacks in missing])}."
    return replace(table, missing=missing, notes=(*table.notes, said))


def _ready(row: Row) -> bool:
    return row.n > 1 and bool(np.isfinite(row.values).all())


def _table(slot: str, device: str, found: Mapping[str, Mapping[str, Row]], named: Sequence[str]) -> tuple[Overall | None, str]:
    grid = {(method, benchmark): row for benchmark, rows in found.items() for method, row in rows.items() if _ready(row)}
    methods = list(dict.fromkeys(method for rows in found.values() for method in rows))
    full = [benchmark for benchmark in found if all((method, benchmark) in grid for method in named)]
    chosen, benchmarks = ([*named], full) if named else _complete(methods, list(found), grid.keys())
    if len(chosen) < 2 or len(benchmarks) < 2:
        return None, "" if named else f"{slot}: no two of its methods have 2 seeds on the same two benchmarks."
    out = [f"'{name}'" for name in methods if name not in chosen] + [name for name in found if name not in benchmarks]
    notes = [f"left out, since they lack 2 seeds, all with a number, of what the others have: {', '.join(out)}."] if out else []

    rows = {benchmark: [grid[method, benchmark] for method in chosen] for benchmark in benchmarks}
    shown = [row for some in rows.values() for row in some]
    notes += [f"{_name(row)}: {told}." for row in shown if (told := as_changed(row.method, row.overrides))]
    higher = [rows[benchmark][0].higher_is_better for benchmark in benchmarks]
    cells = [fit([row.values for row in some], some[0].unit) for some in rows.values()]
    mean = mean_rank(cells, higher)
    order = np.argsort(mean.mean, kind="stable")
    means = np.stack([cell.mean[order] for cell in cells])
    best = tuple(chosen[index] for index in order)
    mean = MeanRank(mean.mean[order], mean.seeds[order], None if mean.benchmarks is None else mean.benchmarks[order])
    table = Overall(
        slot,
        device,
        tuple(benchmarks),
        best,
        mean,
        means,
        tuple(some[0].unit for some in rows.values()),
        tuple(higher),
        notes=tuple(notes),
    )
    if named:
        return table, ""
    scores, reason = _normalised([[some[index] for index in order] for some in rows.values()])
    return replace(table, scores=scores) if scores is not None else replace(table, notes=(*notes, reason)), ""


def _complete(methods: list[str], benchmarks: list[str], there: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Methods and benchmarks that have all results of each other: what most is missing of, as a share, goes first."""
    methods, benchmarks, known = [*methods], [*benchmarks], set(there)
    while True:
        gaps = [(m, b) for m in methods for b in benchmarks if (m, b) not in known]
        if not gaps:
            return methods, benchmarks
        of_method, of_benchmark = Counter(m for m, _ in gaps), Counter(b for _, b in gaps)
        (method, lacks), (benchmark, wants) = of_method.most_common(1)[0], of_benchmark.most_common(1)[0]
        if wants / len(methods) > lacks / len(benchmarks):
            benchmarks.remove(benchmark)
        else:
            methods.remove(method)


def _normalised(blocks: list[list[Row]]) -> tuple[np.ndarray | None, str]:
    """(methods, seeds, benchmarks): (value - floor)/(best mean - floor), of as many seeds as all have; or why there are none."""
    seeds = min(row.n for rows in blocks for row in rows)
    if seeds < LEAST_SEEDS:
        return (
            None,
            f"interquartile means and profiles need {LEAST_SEEDS} seeds of every method on every benchmark; the fewest are {seeds}.",
        )
    scores = []
    for rows in blocks:
        first = rows[0]
        best = (max if first.higher_is_better else min)(row.mean for row in rows)
        if first.floor is None or (best - first.floor) * (1 if first.higher_is_better else -1) <= 0:
            return None, f"no interquartile means and profiles: on {_name(first)} no method is above a known floor."
        scores.append([[(value - first.floor) / (best - first.floor) for value in row.values[:seeds]] for row in rows])
    return np.transpose(np.array(scores), (1, 2, 0)), ""
