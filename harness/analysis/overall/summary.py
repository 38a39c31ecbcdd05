"""Methods of one slot over several benchmarks: mean ranks, and scores between floor and best (docs/statistics.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from harness.analysis.board import Board, Row
from harness.analysis.inference.aggregates import LEAST_SEEDS, Aggregate, MeanRank, interquartile_mean, mean_rank, performance_profile
from harness.analysis.inference.friedman import Ranks, friedman
from harness.analysis.missing import Missing, listed
from harness.analysis.overall.selection import complete, joined, one_each, plainly, titled
from harness.analysis.settings import as_changed
from harness.analysis.standing import fit

THRESHOLDS = (0.5, 0.75, 0.9)
"""Shares of the way from floor to best that a profile counts."""


@dataclass(frozen=True)
class Overall:
    """Methods x benchmarks without a gap; methods in the order of their mean ranks."""

    slot: str
    """The one that most of its results are of: a block stands in a segmentation head's ``context``, too. Empty where methods were named."""
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
    budget: str = ""
    """How much each method was tuned, see :attr:`harness.analysis.settings.Setting.budget`."""
    notes: tuple[str, ...] = field(default=())
    """What is left out, and why."""
    missing: tuple[Missing, ...] = ()
    """Seeds that were asked for and have no result, of methods of the slot on the table's benchmarks, those that are left out too."""

    @property
    def of_budget(self) -> str:
        """Behind a heading: the budget, where there is one."""
        return f" · {self.budget}" if self.budget else ""

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
    """Tables of the methods that meet on two benchmarks or more: for each slot as registered, then for each budget of tuning.

    Of each benchmark the first block of its newest version counts, and of those tuned otherwise the first of each budget; of these, the
    blocks on the kind of device that has most. Slots that one method fills are one. A method needs two seeds on every benchmark of its
    table: the method or benchmark that most results are missing of is left out until none is.

    Args:
        named: these methods instead, whatever their slots, on the benchmarks that have all of them; without scores, since the best of a
            few is no yardstick.
    """
    board = board.of(named) if named else board
    blocks, notes = one_each(board)
    budgets: dict[str, list[list[Row]]] = defaultdict(list)
    for rows in blocks:
        budgets[rows[0].setting.budget].append(rows)
    tables = []
    for budget, some in sorted(budgets.items(), key=lambda item: item[0] != ""):
        if len(some) == 1 and len(budgets) > 1:
            notes.append(f"{plainly(some[0][0])}: left out {budget or 'as registered'}, as no other benchmark is.")
            continue
        for slots in [set[str]()] if named else joined(some):
            found = {titled(rows[0]): there for rows in some if (there := {row.method: row for row in rows if named or row.slot in slots})}
            if len(found) < 2 or len({method for rows in found.values() for method in rows}) < 2:
                continue
            often = Counter(row.slot for rows in found.values() for row in rows.values())
            slot = "" if named else often.most_common(1)[0][0]
            table, why = _table(slot, found, named)
            tables += [_with_missing(table, board, found, slots)] if table else []
            notes += [why] if why else []
    order = [*dict.fromkeys(table.slot for table in tables)]
    return Summary(sorted(tables, key=lambda table: order.index(table.slot)), notes)


def _with_missing(table: Overall, board: Board, found: Mapping[str, Mapping[str, Row]], slots: Collection[str]) -> Overall:
    """A method that failed is in no mean rank, and one that failed in some seeds is ranked by the others."""
    blocks = {next(iter(found[name].values())).block: name for name in table.benchmarks}
    missing = tuple(lacks for lacks in board.missing if lacks.block in blocks and (not slots or lacks.slot in slots))
    if not missing:
        return table
    said = f"seeds with a result: {listed(missing, [blocks[lacks.block] for lacks in missing])}."
    return replace(table, missing=missing, notes=(*table.notes, said))


def _ready(row: Row) -> bool:
    return row.n > 1 and bool(np.isfinite(row.values).all())


def _table(slot: str, found: Mapping[str, Mapping[str, Row]], named: Sequence[str]) -> tuple[Overall | None, str]:
    grid = {(method, benchmark): row for benchmark, rows in found.items() for method, row in rows.items() if _ready(row)}
    methods = list(dict.fromkeys(method for rows in found.values() for method in rows))
    full = [benchmark for benchmark in found if all((method, benchmark) in grid for method in named)]
    chosen, benchmarks = ([*named], full) if named else complete(methods, list(found), grid.keys())
    if len(chosen) < 2 or len(benchmarks) < 2:
        return None, "" if named else f"{slot}: no two of its methods have 2 seeds on the same two benchmarks."
    out = [f"'{name}'" for name in methods if name not in chosen] + [name for name in found if name not in benchmarks]
    notes = [f"left out, since they lack 2 seeds, all with a number, of what the others have: {', '.join(out)}."] if out else []

    rows = {benchmark: [grid[method, benchmark] for method in chosen] for benchmark in benchmarks}
    shown = [row for some in rows.values() for row in some]
    notes += [f"{titled(row)}: {told}." for row in shown if (told := as_changed(row.method, row.overrides))]
    higher = [rows[benchmark][0].higher_is_better for benchmark in benchmarks]
    cells = [fit([row.values for row in some], some[0].unit) for some in rows.values()]
    mean = mean_rank(cells, higher)
    order = np.argsort(mean.mean, kind="stable")
    means = np.stack([cell.mean[order] for cell in cells])
    best = tuple(chosen[index] for index in order)
    mean = MeanRank(mean.mean[order], mean.seeds[order], None if mean.benchmarks is None else mean.benchmarks[order])
    table = Overall(
        slot,
        shown[0].setting.device,
        tuple(benchmarks),
        best,
        mean,
        means,
        tuple(some[0].unit for some in rows.values()),
        tuple(higher),
        budget=shown[0].setting.budget,
        notes=tuple(notes),
    )
    if named:
        return table, ""
    scores, reason = _normalised([[some[index] for index in order] for some in rows.values()])
    return replace(table, scores=scores) if scores is not None else replace(table, notes=(*notes, reason)), ""


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
            return None, f"no interquartile means and profiles: on {titled(first)} no method is above a known floor."
        scores.append([[(value - first.floor) / (best - first.floor) for value in row.values[:seeds]] for row in rows])
    return np.transpose(np.array(scores), (1, 2, 0)), ""
