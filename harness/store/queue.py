"""The queue: plan trials, take them by lease, and record how they ended.

A trial is *planned*, *running* (under a lease), *done* or *failed*. Whoever runs it holds a lease: a token, the
process, and an expiry that heartbeats push forward. A lease is void as soon as its process is gone (on this machine),
or when it has expired and its process is stopped or on another machine, where nobody can look; the trial may then be
taken by anyone. All writes about a running trial name the token, so that a process that lost its lease changes nothing.
Times are those of the database's clock: a machine whose own is wrong neither takes what others hold nor loses what it
holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.digests import digest_of
from harness.store.arrays import pack, pack_confusion, pack_curve
from harness.store.base import Transactions, chunks, clock, insert, insert_new, number
from harness.store.columns import field_names
from harness.store.numbers import DIAGNOSTIC, DURATION, METRIC, write
from harness.store.process import is_void
from harness.store.records import LEASED, Floor, Identity, Lease, MetricSpec, TrialRecord
from harness.store.schema import configs, confusions, costs, curves, environments, floors, samples, specs, trials

if TYPE_CHECKING:
    from harness.compose import Trial
    from harness.outcome import Outcome

HEARTBEAT = 15.0
"""Seconds between two renewals of a lease."""

EXPIRY = 60.0
"""Seconds after which a lease that was not renewed is void."""

_FEW = 100
"""Of so many one is free, as a rule."""

_UNLEASED = dict.fromkeys(LEASED)
_QUEUED = [trials.c[name] for name in ("digest", "state", *LEASED)]


class Queue(Transactions):
    """The writing half of the store."""

    def plan(self, planned: Iterable[Trial], *, retry_failed: bool = False) -> None:
        """Add the trials that are not known yet.

        Args:
            retry_failed: also plan those again that failed.
        """
        asked = {trial.digest: trial for trial in planned}
        with self._write() as connection:
            now = clock(connection)
            said = _said(connection, asked)
            changed = {digest: values for digest, before in said.items() if (values := _anew(asked[digest], *before))}
            new = [trial for digest, trial in asked.items() if digest not in said]
            insert_new(connection, configs, _contents([*new, *(asked[digest] for digest in changed)]))
            insert_new(connection, trials, [_row(trial, now) for trial in new])
            for digest, values in changed.items():
                connection.execute(sa.update(trials).where(trials.c.digest == digest).values(**values))
            if retry_failed:
                for some in chunks([*asked]):
                    failed = sa.and_(trials.c.digest.in_(some), trials.c.state == "failed")
                    connection.execute(sa.update(trials).where(failed).values(state="planned", kind=None, reason=None))

    def claim(self, digests: Sequence[str], lease: Lease, folder: Path) -> str | None:
        """Take the first of ``digests`` that is planned, or whose lease is void; ``None`` if there is none.

        Args:
            digests: in order of preference.
            folder: the trial's work folder is ``folder/DIGEST``, its log ``log.txt`` in there.
        """
        for some in chunks(digests, first=_FEW):
            with self._write() as connection:
                now = clock(connection)
                open_ones = sa.and_(trials.c.digest.in_(some), trials.c.state.in_(("planned", "running")))
                rows = {row.digest: row for row in connection.execute(sa.select(*_QUEUED).where(open_ones))}
                free = [digest for digest in some if (row := rows.get(digest)) and (row.state == "planned" or is_void(row, now))]
                digest = _lock_first(connection, free, {rows[digest].token for digest in free})
                if digest is None:
                    continue
                connection.execute(
                    sa.update(trials)
                    .where(trials.c.digest == digest)
                    .values(
                        state="running",
                        **asdict(lease),
                        expires=now + EXPIRY,
                        attempts=trials.c.attempts + 1,
                        started=now,
                        finished=None,
                        kind=None,
                        reason=None,
                        log=str(folder / digest / "log.txt"),
                        work_dir=str(folder / digest),
                    )
                )
                return digest
        return None

    def renew(self, lease: Lease) -> None:
        """Heartbeat: keep everything held under ``lease`` for another :data:`EXPIRY` seconds."""
        with self._write() as connection:
            held = sa.and_(trials.c.state == "running", trials.c.token == lease.token)
            connection.execute(sa.update(trials).where(held).values(expires=clock(connection) + EXPIRY))

    def _end(self, connection: sa.Connection, digest: str, token: str, **values: Any) -> bool:
        held = sa.and_(trials.c.digest == digest, trials.c.state == "running", trials.c.token == token)
        if values.get("reason"):
            values["reason"] = values["reason"].encode("utf-8", "replace").decode().replace("\0", "")  # not every database takes them
        return connection.execute(sa.update(trials).where(held).values(**_UNLEASED, **values)).rowcount == 1

    def finish(self, digest: str, token: str, outcome: Outcome) -> bool:
        """Store a result, all of it or nothing; ``False`` if the lease was lost meanwhile."""
        environment = digest_of(outcome.environment) if outcome.environment else None
        told = {name: value for name, value in vars(outcome).items() if name in trials.c}
        found = {METRIC: outcome.metrics, DIAGNOSTIC: outcome.diagnostics, DURATION: outcome.durations}
        with self._write() as connection:
            if environment:
                insert_new(connection, environments, [{"digest": environment, "content": outcome.environment}])
            ended = {"state": "done", "finished": clock(connection), "environment_digest": environment, "kind": None, "reason": None}
            if not self._end(connection, digest, token, **ended, **told):
                return False
            write(connection, {digest: found})
            scores = [{"trial": digest, "name": name, "count": len(some), "data": pack(some)} for name, some in outcome.per_sample.items()]
            learnt = [
                {"trial": digest, "name": name, "count": len(some), "data": pack_curve(some)} for name, some in outcome.curves.items()
            ]
            taken = [
                {"trial": digest, "name": some.unit, "count": len(some.classes), "data": pack_confusion(some)}
                for some in (outcome.confusion,)
                if some is not None
            ]
            insert(connection, {samples: scores, curves: learnt, confusions: taken, costs: [{"trial": digest, **vars(outcome.cost)}]})
        return True

    def fail(self, digest: str, token: str, kind: str, reason: str) -> bool:
        """Record that a trial failed; ``False`` if the lease was lost or the trial ended meanwhile."""
        with self._write() as connection:
            return self._end(connection, digest, token, state="failed", kind=kind, reason=reason, finished=clock(connection))

    def release(self, digest: str, token: str, *, kind: str | None = None, reason: str | None = None) -> bool:
        """Give a running trial back to the queue; ``False`` if the lease was lost or the trial ended meanwhile."""
        with self._write() as connection:
            return self._end(connection, digest, token, state="planned", kind=kind, reason=reason, finished=clock(connection))

    def put_specs(self, described: Iterable[MetricSpec]) -> None:
        """Record how the metrics of some benchmarks are read, replacing what was said of the same versions."""
        grouped: dict[tuple[str, int], list[MetricSpec]] = {}
        for spec in described:
            grouped.setdefault((spec.benchmark, spec.version), []).append(spec)
        with self._write() as connection:
            for (benchmark, version), some in sorted(grouped.items()):
                connection.execute(sa.delete(specs).where(specs.c.benchmark == benchmark, specs.c.version == version))
                insert_new(connection, specs, [asdict(spec) | {"position": place} for place, spec in enumerate(some)])

    def put_floors(self, found: Iterable[Floor]) -> None:
        """Record floors; those already there stay, since the same data yields the same floor."""
        rows = [asdict(floor) | {"value": number(floor.value)} for floor in found]
        with self._write() as connection:
            insert_new(connection, floors, rows)


def _lock_first(connection: sa.Connection, free: Sequence[str], tokens: Collection[str | None]) -> str | None:
    """The first of ``free`` that nobody takes meanwhile, kept for this transaction.

    SQLite's writers wait for each other, so what was read is still so. PostgreSQL's do not: whoever finds a trial locked goes on to
    the next, in the same query, and one that changed since it was read is looked at again.

    Args:
        tokens: of the void leases (and ``None``) that those of ``free`` had when they were read.
    """
    if not free or connection.dialect.name != "postgresql":
        return free[0] if free else None
    held = sa.or_(trials.c.token.in_([*tokens]), trials.c.token.is_(None))  # by nobody: a damaged row
    unchanged = sa.or_(trials.c.state == "planned", sa.and_(trials.c.state == "running", held))
    order = sa.func.strpos(" ".join(free), trials.c.digest)
    pick = sa.select(trials.c.digest).where(trials.c.digest.in_(free), unchanged).order_by(order).limit(1)
    digest: str | None = connection.scalar(pick.with_for_update(skip_locked=True))
    return digest


def give_back(connection: sa.Connection) -> None:
    """All running trials are planned: for a copy of a database, in which nobody runs any."""
    connection.execute(sa.update(trials).where(trials.c.state == "running").values(state="planned", **_UNLEASED))


def _contents(planned: Iterable[Trial]) -> list[dict[str, Any]]:
    """Rows of what is stored once for many trials."""
    contents: dict[str, dict[str, Any]] = {}
    for trial in planned:
        for digest, content in ((trial.config_digest, trial.config), (trial.setting, trial.conditions), (trial.tuning, trial.search)):
            if digest:
                contents[digest] = content
    return [{"digest": digest, "content": content} for digest, content in contents.items()]


_SAID = ("task", "setting", "tuning")


def _said(connection: sa.Connection, planned: Collection[str]) -> dict[str, tuple[Any, ...]]:
    """Digest -> what is said of those that are there already: the overrides and :data:`_SAID`."""
    columns = [trials.c[name] for name in ("digest", "overrides", *_SAID)]
    found = {}
    for some in chunks([*planned]):
        for digest, *told in connection.execute(sa.select(*columns).where(trials.c.digest.in_(some))):
            found[digest] = tuple(told)
    return found


def _anew(trial: Trial, overrides: Any, *before: str) -> dict[str, Any]:
    """What is to be said of a trial that is there already.

    What a ``--set`` asked for once may be what is registered now; and an option that changes no result, like the colours of
    pictures, must not part results that are the same.
    """
    now: dict[str, Any] = {name: getattr(trial, name) for name in _SAID}
    now = {} if before == (*now.values(),) else now
    return now | {"overrides": ()} if overrides and not trial.overrides else now


def _row(trial: Trial, now: float) -> dict[str, Any]:
    """A row of ``trials`` for one that is planned now."""
    record = TrialRecord(**{name: getattr(trial, name) for name in field_names(Identity)}, expected=trial.cost, created=now)
    return {name: getattr(record, name) for name in field_names(TrialRecord)}
