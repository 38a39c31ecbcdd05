"""Compare what was measured with a baseline, and say so in one exit code."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from harness.analysis.baseline import Expected
from harness.analysis.leaderboard import Board, Row
from harness.analysis.settings import difference, of_benchmark, of_method
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.store import TrialRow

Status = Literal["ok", "better", "worse", "missing", "incomparable", "new"]
Verdict = Literal["passed", "regression", "incomplete", "nothing to compare"]

EXIT_CODES: dict[Verdict, int] = {"passed": 0, "regression": 1, "incomplete": 3, "nothing to compare": 4}


@dataclass(frozen=True)
class Entry:
    """One metric of one method on one benchmark, on both sides."""

    benchmark: str
    version: int
    method: str
    metric: str
    unit: str
    higher_is_better: bool
    baseline: float | None
    current: float | None
    difference: float | None
    """``current - baseline``."""
    tolerance: float | None
    n: int
    """Seeds measured now."""
    status: Status
    reason: str = ""
    """Why an entry is missing, incomparable or worse, where the numbers do not say it."""


@dataclass(frozen=True)
class Check:
    """The outcome of a regression check."""

    entries: list[Entry]
    failed: list[TrialRow]
    """Trials of the baseline's methods that failed and have no result."""
    notes: list[str] = field(default_factory=list)

    def of(self, status: Status) -> list[Entry]:
        """The entries with one status."""
        return [entry for entry in self.entries if entry.status == status]

    @property
    def verdict(self) -> Verdict:
        """A regression weighs most; then what is missing, incomparable or failed. An empty comparison never passes."""
        if self.of("worse"):
            return "regression"
        compared = any(entry.n and entry.status not in ("new", "incomparable") for entry in self.entries)
        if not compared and not self.failed:
            return "nothing to compare"
        return "incomplete" if self.of("missing") or self.of("incomparable") or self.failed else "passed"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def summary(self) -> str:
        """One sentence."""
        counts = ", ".join(f"{len(some)} {status}" for status in get_args(Status) if (some := self.of(status)))
        failed = f"; {len(self.failed)} trials failed" if self.failed else ""
        return f"{self.verdict}: {counts or 'no entries'}{failed}"


def check(baseline: Sequence[Expected], board: Board, trials: Iterable[TrialRow] = ()) -> Check:
    """Hold a leaderboard (of all benchmark versions) against a baseline.

    Raises:
        UsageError: the two disagree about a metric's unit or direction.
    """
    rows: dict[tuple[str, int, str, str], list[Row]] = defaultdict(list)
    for row in board.rows:
        if "/" not in row.metric:
            rows[row.benchmark, row.version, row.method, row.metric].append(row)
    entries = [_entry(expected, _today(expected, rows.get(expected.key, []))) for expected in baseline]
    known = {expected.key for expected in baseline}
    entries += [_new(some[0]) for key, some in rows.items() if key not in known]
    untold = sum(expected.setting is None for expected in baseline)
    notes = [_UNTOLD.format(untold)] if untold else []
    return Check(entries, _failed(baseline, board, trials), notes)


_UNTOLD = (
    "{} entries of the baseline do not say on which data and in which setting they were measured, so that is not checked. "
    "`harness baseline save` writes them anew."
)


def _today(expected: Expected, rows: list[Row]) -> Row | None:
    """The row that counts now: of the same ``--set``, tuning and device where there is one, the registered and newest first."""
    overrides = of_benchmark(tuple(expected.overrides))
    budget = expected.measured_in.budget if expected.measured_in else ""

    def differs(row: Row) -> tuple[bool, ...]:
        return row.setting.overrides != overrides, row.setting.budget != budget, row.setting.device != expected.device

    return min(rows, key=differs, default=None)


def _failed(baseline: Sequence[Expected], board: Board, trials: Iterable[TrialRow]) -> list[TrialRow]:
    """The failed trials of the baseline's methods in its settings, unless there is a result of the same seed."""
    cells = {(*expected.key[:3], None if expected.setting is None else tuple(expected.overrides)) for expected in baseline}
    measured = {(row.benchmark, row.version, row.method, seed) for row in board.rows for seed in row.seeds}
    return [
        trial
        for trial in trials
        if trial.state == "failed"
        and cells & {(*(cell := (trial.benchmark, trial.version, trial.method)), overrides) for overrides in (None, trial.overrides)}
        and (*cell, trial.seed) not in measured
    ]


def _entry(expected: Expected, row: Row | None) -> Entry:
    common: dict[str, Any] = {
        name: getattr(expected, name) for name in ("benchmark", "version", "method", "metric", "unit", "higher_is_better", "tolerance")
    }
    if row is None:
        return Entry(**common, baseline=expected.mean, current=None, difference=None, n=0, status="missing", reason="no result")
    if reason := _incomparable(expected, row):
        current = None if math.isnan(row.mean) else row.mean
        told: dict[str, Any] = {"baseline": expected.mean, "current": current, "difference": None, "n": row.n}
        return Entry(**common, **told, status="incomparable", reason=reason)
    for name in ("unit", "higher_is_better"):
        if getattr(row, name) != getattr(expected, name):
            raise UsageError(
                f"the baseline says {name} of {row.benchmark} {row.metric} is {getattr(expected, name)!r}, not {getattr(row, name)!r}. "
                "Save it anew with `harness baseline save`."
            )
    current = None if math.isnan(row.mean) else row.mean
    difference = None if current is None or expected.mean is None else current - expected.mean
    status, reason = _judge(expected, current, difference)
    if status in ("ok", "better") and row.n < expected.n:
        status, reason = "missing", f"{row.n} of {expected.n} seeds"
    return Entry(**common, baseline=expected.mean, current=current, difference=difference, n=row.n, status=status, reason=reason)


def _incomparable(expected: Expected, row: Row) -> str:
    """Why the two numbers say nothing about each other; empty where they do."""
    if expected.measured_in is None:
        return ""
    if reason := difference(row.setting, expected.measured_in, "the baseline"):
        return reason
    now, before = (" ".join(f"--set {text}" for text in of_method(tuple(some))) for some in (row.overrides, expected.overrides))
    return "" if now == before else f"{now or 'the method as registered'}, {before or 'as registered'} in the baseline"


def _judge(expected: Expected, current: float | None, difference: float | None) -> tuple[Status, str]:
    if current is None:
        return ("ok", "not a number, as before") if expected.mean is None else ("worse", "not a number any more")
    if difference is None:
        return "better", "was not a number"
    gain = difference if expected.higher_is_better else -difference
    if gain < -expected.tolerance:
        return "worse", ""
    return ("better", "") if gain > expected.tolerance else ("ok", "")


def _new(row: Row) -> Entry:
    return Entry(
        benchmark=row.benchmark,
        version=row.version,
        method=row.method,
        metric=row.metric,
        unit=row.unit,
        higher_is_better=row.higher_is_better,
        baseline=None,
        current=None if math.isnan(row.mean) else row.mean,
        difference=None,
        tolerance=None,
        n=row.n,
        status="new",
        reason="not in the baseline",
    )


def as_json(check: Check) -> dict[str, Any]:
    """The check as plain data (docs/json.md)."""
    return {
        "verdict": check.verdict,
        "exit_code": check.exit_code,
        "entries": [vars(entry) for entry in check.entries],
        "failed": [
            {
                "digest": t.digest,
                "benchmark": t.benchmark,
                "method": t.method,
                "seed": t.seed,
                "kind": t.kind,
                "reason": t.reason,
                "log": t.log,
            }
            for t in check.failed
        ],
    } | ({"notes": check.notes} if check.notes else {})
