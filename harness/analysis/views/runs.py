"""How far runs are, and why trials failed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.digests import digest_of
from harness.engine.progress import Estimate

if TYPE_CHECKING:
    from harness.store import Lot, TrialRow

STATES = ("planned", "running", "interrupted", "done", "failed")
"""How a trial can stand; ``interrupted``: its process is gone, and the same ``harness run`` goes on with it."""

_VARYING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{12,}\b|\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
"""Parts of a reason that differ between failures of one cause: addresses, digests, numbers."""

_PHASE = re.compile(r"Epoch\((train|val|test)\)\s+(?:\[(\d+)\])?\[\s*(\d+)/(\d+)\]")
"""How far a trial is, in a line of mmengine's log."""


def standing(row: TrialRow) -> str:
    """One of :data:`STATES`."""
    return "interrupted" if row.state == "running" and not row.alive else row.state


def settings(rows: Iterable[TrialRow], budgets: Mapping[str, str]) -> dict[str, str]:
    """Digest -> how its method was set, where any of them was tuned; what ``--set`` changed is not repeated.

    Args:
        budgets: of each setting, see :func:`harness.analysis.source.budgets`.
    """
    found = {row.digest: budgets.get(row.setting, "") or "as registered" * (not row.overrides) for row in rows}
    return found if any(text not in ("", "as registered") for text in found.values()) else {}


@dataclass(frozen=True)
class Batch:
    """The trials that one run added to the queue, of which some are not done."""

    created: float
    """When they were planned, in seconds since the epoch."""
    benchmarks: tuple[str, ...]
    counts: dict[str, int]
    """State -> number of trials, of all :data:`STATES`."""
    running: tuple[TrialRow, ...]
    """Those that are being run."""
    seconds_left: float | None
    """Until all have ended, if as many go on at a time as now; ``None`` where none is being run."""

    @property
    def total(self) -> int:
        """Its trials."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Those that are done or failed."""
        return self.counts["done"] + self.counts["failed"]


def batches(lots: Iterable[Lot], running: Sequence[TrialRow], now: float) -> list[Batch]:
    """Runs that have not ended: first those that are going on, then the newest.

    Time left is the run's own guess (:class:`harness.engine.progress.Estimate`): expected seconds, corrected by what trials of the same
    batch and benchmark took. Trials that were planned by an earlier run and are done by this one, too, are a batch of their own.

    Args:
        lots: of all trials.
        running: all trials whose state is ``running``, whether their process is there or not.
        now: seconds since the epoch.
    """
    of_batch: dict[float, list[Lot]] = defaultdict(list)
    for lot in lots:
        of_batch[lot.created].append(lot)
    found = []
    for created, some in of_batch.items():
        rows = [row for row in running if row.created == created]
        batch = _batch(created, some, rows, now)
        if batch.ended < batch.total:
            found.append(batch)
    return sorted(found, key=lambda batch: (not batch.running, -batch.created))


def _batch(created: float, lots: Sequence[Lot], rows: Sequence[TrialRow], now: float) -> Batch:
    alive = tuple(row for row in rows if row.alive)
    counts = dict.fromkeys(STATES, 0)
    for lot in lots:
        counts[lot.state] += lot.count
    # the rows are read after the lots: a trial may have begun or ended in between
    dead = min(len(rows) - len(alive), counts["running"])
    counts["running"], counts["interrupted"] = counts["running"] - dead, dead
    left = None
    if alive:
        estimate = Estimate()
        waiting = [(row.benchmark, row.expected) for row in rows if not row.alive]
        for lot in lots:
            if lot.state == "done":
                estimate.learn(lot.benchmark, lot.timed, lot.seconds)
            elif lot.state == "planned":
                waiting += [(lot.benchmark, lot.expected / lot.count)] * lot.count
        left = estimate.left(waiting, [(row.benchmark, row.expected, now - (row.started or now)) for row in alive], len(alive))
    return Batch(created, tuple(dict.fromkeys(lot.benchmark for lot in lots)), counts, alive, left)


def totals(lots: Iterable[Lot], running: Sequence[TrialRow]) -> dict[str, int]:
    """State -> number of trials, of all :data:`STATES`; the arguments are those of :func:`batches`."""
    found = Counter({state: 0 for state in STATES})
    for lot in lots:
        found[lot.state] += lot.count
    dead = min(sum(not row.alive for row in running), found["running"])
    return {**found, "running": found["running"] - dead, "interrupted": dead}


@dataclass(frozen=True)
class Failure:
    """Trials that failed for one reason, up to numbers in it."""

    key: str
    """Names the reason, in addresses."""
    kind: str
    """See :attr:`harness.store.records.TrialRecord.kind`."""
    reason: str
    """That of the newest one."""
    rows: tuple[TrialRow, ...]
    """The newest first."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Of the trials, by name."""
        return tuple(sorted({row.method for row in self.rows}))

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Of the trials, by name."""
        return tuple(sorted({row.benchmark for row in self.rows}))


def failures(rows: Iterable[TrialRow]) -> list[Failure]:
    """The trials that failed, by reason: the most frequent first."""
    grouped: dict[str, list[TrialRow]] = defaultdict(list)
    for row in rows:
        if row.state == "failed":
            grouped[digest_of([row.kind, _VARYING.sub("#", row.reason or "")])].append(row)
    found = []
    for key, some in grouped.items():
        some.sort(key=lambda row: -(row.finished or 0))
        found.append(Failure(key, some[0].kind or "", some[0].reason or "", tuple(some)))
    return sorted(found, key=lambda failure: (-len(failure.rows), failure.kind, failure.reason))


def phase(log: str) -> str:
    """How far a running trial is, from the end of its log: ``training, epoch 3, 20 of 46``; empty where it says nothing."""
    found = [*_PHASE.finditer(log)]
    if not found:
        return ""
    what, epoch, place, total = found[-1].groups()
    words = {"train": "training", "val": "validation", "test": "test"}[what]
    return f"{words}{f', epoch {epoch}' if epoch and what != 'test' else ''}, {place} of {total}"
