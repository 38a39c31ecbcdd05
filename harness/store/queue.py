"""The queue: plan trials, take them by lease, and record how they ended.

A trial is *planned*, *running* (under a lease), *done* or *failed*. Whoever runs it holds a lease: a token, the
process, and an expiry that heartbeats push forward. A lease is void as soon as its process is gone (on this machine)
or when it has expired (on others, where nobody can look); the trial may then be taken by anyone. All writes about a
running trial name the token, so that a process that lost its lease changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.store import process
from harness.store.arrays import pack
from harness.store.base import Transactions, chunks, digest_of, insert_new, number
from harness.store.records import Floor, Lease, MetricSpec
from harness.store.schema import Config, Cost, Environment, Measure, Samples, Spec, Trial
from harness.store.schema import Floor as FloorTable

if TYPE_CHECKING:
    from harness.compose import Trial as PlannedTrial
    from harness.engine.outcome import Outcome

HEARTBEAT = 15.0
"""Seconds between two renewals of a lease."""

EXPIRY = 60.0
"""Seconds after which a lease that was not renewed is void."""

_UNLEASED = {"token": None, "host": None, "pid": None, "process_start": None, "expires": None}


def is_void(row: Any, now: float) -> bool:
    """Whether the lease in a row of ``trials`` binds nobody any more."""
    if row.host == process.host():
        return row.pid is None or process.started(row.pid) != row.process_start
    return row.expires is None or row.expires < now


class Queue(Transactions):
    """The writing half of the store."""

    def plan(self, trials: Iterable[PlannedTrial], *, retry_failed: bool = False) -> None:
        """Add the trials that are not known yet.

        Args:
            retry_failed: also plan those again that failed.
        """
        now, trials = time.time(), list(trials)
        configs = {t.config_digest: {"digest": t.config_digest, "content": t.config} for t in trials}
        rows = [
            {
                "digest": t.digest,
                "benchmark": t.benchmark,
                "version": t.version,
                "family": t.family,
                "tier": t.tier,
                "method": t.method,
                "slot": t.slot,
                "seed": t.seed,
                "dataset": t.dataset,
                "plugins": t.plugins,
                "overrides": list(t.overrides),
                "expected": t.cost,
                "config_digest": t.config_digest,
                "state": "planned",
                "attempts": 0,
                "notes": [],
                "created": now,
            }
            for t in trials
        ]
        with self._write() as connection:
            insert_new(connection, Config, list(configs.values()))
            insert_new(connection, Trial, rows)
            for some in chunks([t.digest for t in trials if not t.overrides]):
                # what a --set asked for once may be what is registered now
                stored = connection.execute(sa.select(Trial.digest, Trial.overrides).where(Trial.digest.in_(some)))
                if registered := [digest for digest, overrides in stored if overrides]:
                    connection.execute(sa.update(Trial).where(Trial.digest.in_(registered)).values(overrides=[]))
            if retry_failed:
                for some in chunks([t.digest for t in trials]):
                    failed = sa.and_(Trial.digest.in_(some), Trial.state == "failed")
                    connection.execute(sa.update(Trial).where(failed).values(state="planned", kind=None, reason=None))

    def claim(self, digests: Sequence[str], lease: Lease, folder: Path) -> str | None:
        """Take the first of ``digests`` that is planned, or whose lease is void; ``None`` if there is none.

        Args:
            digests: in order of preference.
            folder: the trial's work folder is ``folder/DIGEST``, its log ``log.txt`` in there.
        """
        for some in chunks(digests):
            with self._write() as connection:
                now = time.time()
                columns = (Trial.digest, Trial.state, Trial.token, Trial.host, Trial.pid, Trial.process_start, Trial.expires)
                open_ones = sa.and_(Trial.digest.in_(some), Trial.state.in_(("planned", "running")))
                rows = {row.digest: row for row in connection.execute(sa.select(*columns).where(open_ones))}
                for digest in some:
                    row = rows.get(digest)
                    if row is None or (row.state == "running" and not is_void(row, now)):
                        continue
                    # The condition repeats what was just read: on a database whose writers do not wait for each
                    # other, only one of two takers changes the row.
                    unchanged = sa.and_(Trial.digest == digest, Trial.state == row.state, Trial.token.is_not_distinct_from(row.token))
                    taken = connection.execute(
                        sa.update(Trial)
                        .where(unchanged)
                        .values(
                            state="running",
                            token=lease.token,
                            host=lease.host,
                            pid=lease.pid,
                            process_start=lease.process_start,
                            expires=now + EXPIRY,
                            attempts=Trial.attempts + 1,
                            started=now,
                            finished=None,
                            kind=None,
                            reason=None,
                            log=str(folder / digest / "log.txt"),
                            work_dir=str(folder / digest),
                        )
                    )
                    if taken.rowcount == 1:
                        return digest
        return None

    def renew(self, lease: Lease) -> None:
        """Heartbeat: keep everything held under ``lease`` for another :data:`EXPIRY` seconds."""
        with self._write() as connection:
            held = sa.and_(Trial.state == "running", Trial.token == lease.token)
            connection.execute(sa.update(Trial).where(held).values(expires=time.time() + EXPIRY))

    def _end(self, connection: sa.Connection, digest: str, token: str, **values: Any) -> bool:
        held = sa.and_(Trial.digest == digest, Trial.state == "running", Trial.token == token)
        if values.get("reason"):
            values["reason"] = values["reason"].encode("utf-8", "replace").decode().replace("\0", "")  # not every database takes them
        return connection.execute(sa.update(Trial).where(held).values(**_UNLEASED, **values)).rowcount == 1

    def finish(self, digest: str, token: str, outcome: Outcome) -> bool:
        """Store a result, all of it or nothing; ``False`` if the lease was lost meanwhile."""
        environment = digest_of(outcome.environment) if outcome.environment else None
        numbers = {"metric": outcome.metrics, "diagnostic": outcome.diagnostics, "duration": outcome.durations}
        with self._write() as connection:
            if environment:
                insert_new(connection, Environment, [{"digest": environment, "content": outcome.environment}])
            now = time.time()
            ended = {"state": "done", "finished": now, "environment_digest": environment, "notes": list(outcome.notes)}
            if not self._end(connection, digest, token, kind=None, reason=None, **ended):
                return False
            measures = [
                {"trial": digest, "kind": kind, "name": name, "value": number(value)}
                for kind, values in numbers.items()
                for name, value in values.items()
            ]
            samples = [
                {"trial": digest, "name": name, "count": len(values), "data": pack(values)} for name, values in outcome.per_sample.items()
            ]
            for table, rows in ((Measure, measures), (Samples, samples)):
                if rows:
                    connection.execute(sa.insert(table), rows)
            connection.execute(sa.insert(Cost).values(trial=digest, **vars(outcome.cost)))
        return True

    def fail(self, digest: str, token: str, kind: str, reason: str) -> bool:
        """Record that a trial failed; ``False`` if the lease was lost or the trial ended meanwhile."""
        with self._write() as connection:
            return self._end(connection, digest, token, state="failed", kind=kind, reason=reason, finished=time.time())

    def release(self, digest: str, token: str, *, kind: str | None = None, reason: str | None = None) -> bool:
        """Give a running trial back to the queue; ``False`` if the lease was lost or the trial ended meanwhile."""
        with self._write() as connection:
            return self._end(connection, digest, token, state="planned", kind=kind, reason=reason, finished=time.time())

    def put_specs(self, specs: Iterable[MetricSpec]) -> None:
        """Record how the metrics of some benchmarks are read, replacing what was said of the same versions."""
        grouped: dict[tuple[str, int], list[MetricSpec]] = {}
        for spec in specs:
            grouped.setdefault((spec.benchmark, spec.version), []).append(spec)
        with self._write() as connection:
            for (benchmark, version), some in sorted(grouped.items()):
                connection.execute(sa.delete(Spec).where(Spec.benchmark == benchmark, Spec.version == version))
                rows = [asdict(spec) | {"position": i} for i, spec in enumerate(some)]
                insert_new(connection, Spec, rows)

    def put_floors(self, floors: Iterable[Floor]) -> None:
        """Record floors; those already there stay, since the same data yields the same floor."""
        rows = [asdict(floor) | {"value": number(floor.value)} for floor in floors]
        with self._write() as connection:
            insert_new(connection, FloorTable, rows)
