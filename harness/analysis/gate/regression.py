"""Compare what was measured with a baseline.

An entry is worse if it fell by more than its tolerance, a size that means something, and by more than noise. What noise may be
follows from where the numbers come from, see :data:`harness.analysis.gate.origins.Source`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.board import Board, Row
from harness.analysis.gate import costs as costs_
from harness.analysis.gate import machines as machines_
from harness.analysis.gate.expected import Expected, Key, about
from harness.analysis.gate.file import Baseline
from harness.analysis.gate.lacking import Lacking, lacking
from harness.analysis.gate.limits import Limit
from harness.analysis.gate.origins import Source, limits_of, other_machines, source_of, unfailing
from harness.analysis.gate.outcome import Check, Entry, Status
from harness.analysis.settings import difference, of_benchmark, of_method
from harness.analysis.statistics import SINGLE
from harness.errors import UsageError
from harness.garbage import uncollected
from harness.texts import amount

if TYPE_CHECKING:
    from harness.store import Result, TrialRow


@uncollected()
def check(
    baseline: Baseline,
    board: Board,
    trials: Iterable[TrialRow] = (),
    environments: Mapping[str, Mapping[str, Any]] | None = None,
    results: Mapping[str, Result] | None = None,
    elsewhere: Collection[str] = (),
) -> Check:
    """Hold a leaderboard (of all benchmark versions) against a baseline.

    What the baseline does not have is new where it has a value and is of one of the baseline's benchmarks; of others nothing is told.

    Args:
        trials: those behind the board, for where and when they ran, and those that failed, for where their logs lie.
        environments: digest of an environment -> what is behind it.
        results: digest -> the trial, where costs are judged too.
        elsewhere: digests of trials of other sources than those here, of which there are results, too.

    Raises:
        UsageError: the two disagree about a metric's unit or direction.
    """
    trials = [*trials]
    now = machines_.machines_of(trials, environments or {})
    rows: dict[Key, list[Row]] = defaultdict(list)
    for row in board.rows:
        if "/" not in row.metric:
            rows[row.benchmark, row.version, row.method, row.metric].append(row)
    pairs = [(expected, _today(expected, rows.get(expected.key, []))) for expected in baseline.entries]
    notes: list[str] = []
    lacks = lacking(pairs, board, trials)
    reasons = {expected.key: _unjudged(expected, row, lacks, elsewhere) for expected, row in pairs if row is not None}
    sources = {expected.key: source_of(expected, row, now) for expected, row in pairs if row is not None and not reasons[expected.key]}
    limits = limits_of(pairs, sources)
    entries = [
        _entry(expected, row, sources.get(expected.key), limits.get(expected.key), reasons.get(expected.key)) for expected, row in pairs
    ]
    known = {expected.key for expected in baseline.entries} | baseline.left_out
    benchmarks = {expected.benchmark for expected in baseline.entries}
    unknown = [some[0] for key, some in sorted(rows.items()) if key not in known]
    entries += [_new(row) for row in unknown if row.benchmark in benchmarks and not math.isnan(row.mean)]
    if untold := sum(expected.setting is None for expected in baseline.entries):
        notes.append(_UNTOLD.format(untold, "says" if untold == 1 else "say"))
    notes += unfailing(pairs, sources, limits)
    notes += other_machines(baseline, pairs, sources, now)
    judged: list[costs_.CostEntry] = []
    if results is not None:
        rows_now = {expected.key[:3]: row for expected, row in reversed(pairs) if row is not None and expected.key in sources}
        judged, said = _costs(costs_.pairs_of(baseline, rows_now, results, environments or {}), any(baseline.costs.values()))
        notes += said
    return Check(entries, lacks.failed, notes, judged)


_UNTOLD = (
    "{} of the baseline's entries {} nothing of their data and setting, so that is not checked. `harness baseline save` writes them anew."
)


def _costs(pairs: costs_.Pairs, known: bool) -> tuple[list[costs_.CostEntry], list[str]]:
    """The entries about costs, and the notes with what is to say about them.

    Args:
        known: whether the baseline has any.
    """
    (costs, common), notes = costs_.judge(pairs), []
    if elsewhere := sum(not same for _, _, same in pairs.values()):
        notes.append(f"times and memory of {amount(elsewhere, 'method')} measured on another kind of device are not judged.")
    if not pairs:
        why = "no entry that has some can be compared" if known else "the baseline has none, `harness baseline save` adds them"
        notes.append(f"no costs are judged: {why}.")
    if common >= costs_.BUSY:
        notes.append(f"times are {common:.2f} times those of the baseline in the median, which counts as the machine's doing.")
    times = [entry for entry in costs if entry.cost in costs_.TIMES]
    if any(entry.worse for entry in times) and len(times) < costs_.FEWEST:
        notes.append(
            f"of fewer than {costs_.FEWEST} times nobody can tell a busy machine from slower code: run the check again, or on more."
        )
    return costs, notes


def _today(expected: Expected, rows: list[Row]) -> Row | None:
    """The row that counts now: of the same ``--set``, tuning and device where there is one, the registered and newest first."""
    overrides = of_benchmark(expected.overrides)
    budget = expected.measured_in.budget if expected.measured_in else ""

    def differs(row: Row) -> tuple[bool, ...]:
        return row.setting.overrides != overrides, row.setting.budget != budget, row.setting.device != expected.device

    return min(rows, key=differs, default=None)


def _unjudged(expected: Expected, row: Row, lacks: Lacking, elsewhere: Collection[str]) -> tuple[Status, str] | None:
    """Why the row's numbers are no answer, and what that makes of the entry; ``None`` where they are one."""
    if newer := lacks.since.get(expected.key):
        return "missing", f"planned since with other settings or sources, without a result yet: {newer.told}"
    if reason := _incomparable(expected, row):
        return "incomparable", reason
    if any(digest in elsewhere for digest in row.digests):
        return "incomparable", "what ran last is of other sources than those here, of which there are results, too"
    return None


def _entry(expected: Expected, row: Row | None, source: Source | None, limit: Limit | None, unjudged: tuple[Status, str] | None) -> Entry:
    common = about(expected) | {"tolerance": expected.tolerance}
    if row is None or limit is None:
        return Entry(**common, baseline=expected.mean, current=None, difference=None, n=0, status="missing", reason="no result")
    current = None if math.isnan(row.mean) else row.mean
    if unjudged:
        status, reason = unjudged
        now: dict[str, Any] = {"current": None, "n": 0} if status == "missing" else {"current": current, "n": row.n}
        return Entry(**common, **now, baseline=expected.mean, difference=None, status=status, reason=reason)
    for name in ("unit", "higher_is_better"):
        if getattr(row, name) != getattr(expected, name):
            raise UsageError(
                f"the baseline says {name} of {row.benchmark} {row.metric} is {getattr(expected, name)!r}, not {getattr(row, name)!r}. "
                "Save it anew with `harness baseline save`."
            )
    sides = None if current is None or expected.mean is None else _sides(expected, row, source)
    difference = sides.difference if sides else None
    status, reason = _judge(expected, current, difference, limit, source)
    if status in ("same", "better") and row.n < expected.n:
        status, reason = "missing", f"{row.n} of {expected.n} seeds"
    allowed = None if math.isnan(limit.allowed) else limit.allowed
    return Entry(
        **common,
        baseline=sides.baseline if sides else expected.mean,
        current=sides.current if sides else current,
        difference=difference,
        n=row.n,
        status=status,
        reason=reason,
        allowed=allowed,
        source=source,
        shared=sides.shared if sides else None,
    )


@dataclass(frozen=True)
class _Sides:
    """Two means over the same seeds, or each over its own, and now minus then."""

    baseline: float
    current: float
    difference: float
    shared: int | None = None


def _sides(expected: Expected, row: Row, source: Source | None) -> _Sides:
    """Then and now: seed by seed where the trials are the same, and where all seeds that both have agree, which are all that one of them
    has: where seeds are exchanged for others, one that is left says nothing of these."""
    assert expected.mean is not None
    before = dict(zip(expected.seeds, expected.values, strict=True))
    both = [(before[seed], value) for seed, value in zip(row.seeds, row.values, strict=True) if seed in before]
    changes = [0.0 if math.isclose(value, then, rel_tol=SINGLE) else value - then for then, value in both]
    if both and (source in ("repeated", "machine") or (len(both) == min(expected.n, row.n) and not any(changes))):
        baseline, change = (math.fsum(some) / len(both) for some in ([then for then, _ in both], changes))
        return _Sides(baseline, baseline + change, change, len(both))
    return _Sides(expected.mean, row.mean, row.mean - expected.mean)


def _incomparable(expected: Expected, row: Row) -> str:
    """Why the two numbers say nothing about each other; empty where they do."""
    if expected.measured_in is None:
        return ""
    if reason := difference(row.setting, expected.measured_in, "the baseline"):
        return reason
    now, before = (" ".join(f"--set {text}" for text in of_method(tuple(some))) for some in (row.overrides, expected.overrides))
    return "" if now == before else f"{now or 'the method as registered'}, {before or 'as registered'} in the baseline"


def _judge(expected: Expected, current: float | None, difference: float | None, limit: Limit, source: Source | None) -> tuple[Status, str]:
    if current is None:
        return ("same", "not a number, as before") if expected.mean is None else ("worse", "not a number any more")
    if difference is None:
        return "better", "was not a number"
    gain = difference if expected.higher_is_better else -difference
    repeated = "the same code on the same machine computes something else: look for what its digest does not see"
    if gain < -limit.allowed:
        return "worse", repeated if source == "repeated" else ""
    if gain > limit.allowed:
        return "better", repeated if source == "repeated" else ""
    if math.isnan(limit.allowed) and difference:
        return "incomparable", "the baseline's seeds say nothing of their noise: save it anew with 3 or more"
    return "same", repeated if source == "repeated" and difference else ""


def _new(row: Row) -> Entry:
    return Entry(
        **about(row),
        baseline=None,
        current=row.mean,
        difference=None,
        tolerance=None,
        n=row.n,
        status="new",
        reason="not in the baseline",
    )
