"""A baseline of a leaderboard. What could not fail is no test, and survivors are no sample: they are refused, or left out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.board import Block, Board, Row
from harness.analysis.gate.costs import costs_of
from harness.analysis.gate.expected import RELATIVE, Expected, Key, about, default_tolerance, mean_of
from harness.analysis.gate.file import Baseline
from harness.analysis.gate.limits import Limit, Noise, can_fail, limits, noises, seeds_needed
from harness.analysis.gate.machines import known_as, machines_of
from harness.analysis.numbers import number

if TYPE_CHECKING:
    from harness.store import Result


@dataclass(frozen=True)
class Unfailing:
    """An entry whose loss of all that it has would not be caught."""

    entry: Expected
    limit: Limit
    seeds: int | None
    """With which it could fail; ``None`` where more seeds do not help."""

    def __str__(self) -> str:
        entry, unit = self.entry, self.entry.unit
        what = f"{entry.metric} of '{entry.method}' on {entry.benchmark} v{entry.version}"
        if entry.mean is None:
            return f"{what} is not a number"
        if entry.distance() <= 0:
            return f"{what} is no better than the floor"
        if math.isnan(self.limit.error):
            few = len(entry.values) < 2
            mend = "run 3 or more" if few else f"all are {number(entry.mean, unit)}; give --tolerance {entry.metric}=VALUE"
            return f"{what} has {_seeds(len(entry.values))}, which say nothing of their noise: {mend}"
        lost = f"{number(entry.distance(), unit)} {unit}".strip()
        mend = f"{self.seeds} seeds would do" if self.seeds else "a smaller tolerance or less noise is needed"
        return f"{what}: {_seeds(len(entry.values))} would not show the loss of all that it has above the floor ({lost}); {mend}"


def _seeds(count: int) -> str:
    return f"{count} seed" + "s" * (count != 1)


def told(unfailing: Sequence[Unfailing]) -> list[str]:
    """A sentence for each method of a benchmark."""
    cells: dict[Any, list[Unfailing]] = defaultdict(list)
    for some in unfailing:
        cells[some.entry.key[:3]].append(some)
    return [str(some[0]) if len(some) == 1 else _together(some) for some in cells.values()]


def _together(some: Sequence[Unfailing]) -> str:
    first = some[0].entry
    counts = [each.seeds for each in some]
    mend = f"{max(count for count in counts if count)} seeds would do for all" if all(counts) else "more seeds would do for some at most"
    metrics = ", ".join(each.entry.metric for each in some)
    return f"{metrics} of '{first.method}' on {first.benchmark} v{first.version}, with {_seeds(len(first.values))}; {mend}"


def lacking(board: Board, seeds: int | None = None) -> dict[tuple[Block, str], str]:
    """The methods that would be saved and lack seeds: (block, method) -> a sentence that says which.

    Those that failed are no chance sample of a method's seeds: the mean of the others is not what it reaches.

    Args:
        seeds: how many a check must have.
    """
    found = {}
    newer = {(lacks.block, lacks.method, lacks.trials[0].overrides): lacks for lacks in board.since}
    for rows in board.parted()[0]:
        for row in rows:
            key, what = (row.block, row.method), f"'{row.method}' on {row.benchmark} v{row.version}"
            if lacks := board.lacks(*key):
                found[key] = f"{what} has {lacks.ended} of {lacks.asked} seeds ({lacks.told})"
            elif since := newer.get((*key, row.overrides)):
                found[key] = f"{what} was planned since with other settings or sources, without a result yet: {since.told}"
            elif row.n < (seeds or 0):
                found[key] = f"{what} has {row.n} of the {seeds} seeds that a check must have"
    return found


def expect(
    board: Board,
    trials: Mapping[str, Result] | None = None,
    environments: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    relative: float = RELATIVE,
    tolerances: Mapping[str, float] | None = None,
    seeds: int | None = None,
    without: Collection[tuple[Block, str]] = (),
) -> tuple[Baseline, list[Unfailing]]:
    """What a later run is held to: every metric of every method that could fail, without single scenes and classes.

    Of a benchmark in several settings, the registered one counts.

    Args:
        trials: digest -> the trial, for its costs and where it ran.
        environments: digest of an environment -> what is behind it.
        relative: the smallest drop that means something, as a share of the distance between mean and floor.
        tolerances: metric name -> that drop in the metric's unit, instead of the default.
        seeds: how many a check must have; all that were measured otherwise.
        without: methods of blocks that are left out, as those are that are :func:`lacking`.

    Returns:
        The baseline, and what is left out of it.
    """
    trials, environments = trials or {}, environments or {}
    machines = machines_of(trials.values(), environments)
    rows = [row for some in board.parted()[0] for row in some if "/" not in row.metric]
    entries = [_expected(row, machines, relative, tolerances or {}, seeds) for row in rows if (row.block, row.method) not in without]
    entries, unfailing = _part(entries)
    costs = {row.digests: costs_of([trials[digest] for digest in row.digests if digest in trials]) for row in rows}
    used = {known_as(machine): machine for machine in machines.values() if machine}
    baseline = Baseline(
        entries,
        frozenset(some.entry.key for some in unfailing)
        | {(row.benchmark, row.version, row.method, row.metric) for row in rows if (row.block, row.method) in without},
        {name: used[name] for name in sorted({name for entry in entries for name in entry.machines} & {*used})},
        {entry.key[:3]: costs.get(entry.digests, {}) for entry in entries},
    )
    return baseline, unfailing


def _expected(
    row: Row, machines: Mapping[str, dict[str, Any]], relative: float, tolerances: Mapping[str, float], seeds: int | None
) -> Expected:
    default = default_tolerance(row.mean, row.floor, row.unit, row.higher_is_better, relative)
    return Expected(
        **about(row),
        mean=mean_of(row.values),
        n=min(seeds or row.n, row.n),
        tolerance=tolerances.get(row.metric, default),
        given=row.metric in tolerances,
        seeds=row.seeds,
        values=row.values,
        digests=row.digests,
        machines=tuple(known_as(machines.get(digest, {})) for digest in row.digests),
        floor=row.floor,
        setting=row.setting.digest,
        device=row.setting.device,
        overrides=row.overrides,
        measured_in=row.setting,
    )


def _part(entries: Sequence[Expected]) -> tuple[list[Expected], list[Unfailing]]:
    """Entries that could fail and those that could not.

    Limits depend on how many entries share the chance of a false alarm: with fewer of them each has more. What fell out of the first
    round stays out.
    """
    known = noises(entries)
    first = limits(entries, known)
    kept = [entry for entry in entries if can_fail(entry, first[entry.key])]
    out = [_unfailing(entry, known, first) for entry in entries if not can_fail(entry, first[entry.key])]
    return kept, out


def _unfailing(entry: Expected, known: Mapping[Key, Noise], first: Mapping[Key, Limit]) -> Unfailing:
    return Unfailing(entry, first[entry.key], seeds_needed(entry, known[entry.key], first[entry.key].alpha))
