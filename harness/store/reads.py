"""What is in the store, as plain dataclasses: a few queries each, however many trials there are."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import sqlalchemy as sa

from harness.engine.outcome import Cost
from harness.errors import UsageError
from harness.store.arrays import unpack
from harness.store.base import Transactions, chunks
from harness.store.queue import is_void
from harness.store.records import Floor, MetricSpec, Result, TrialRow
from harness.store.schema import Config, Environment, Measure, Samples, Spec, Trial
from harness.store.schema import Cost as CostTable
from harness.store.schema import Floor as FloorTable

_IDENTITY = ("digest", "benchmark", "version", "family", "tier", "method", "slot", "seed", "dataset")
_PROVENANCE = ("config_digest", "environment_digest", "finished", "notes", "plugins", "overrides")
_STANDING = ("state", "kind", "reason", "attempts", "host", "pid", "created", "started", "finished", "log", "work_dir", "expected")
_COST = ("params", "flops", "latency_ms", "peak_memory_mb")


class Reads(Transactions):
    """The reading half of the store.

    ``results``, ``trials``, ``states`` and ``per_sample`` take any of these filters: ``benchmarks``, ``families``,
    ``methods``, ``digests``, each a collection of names; none means all.
    """

    def results(self, **filters: Iterable[str] | None) -> list[Result]:
        """The trials that are done, ordered by benchmark, method and seed."""
        found = []
        with self._read() as connection:
            for where in _clauses(**filters):
                done = sa.and_(where, Trial.state == "done")
                measures: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
                query = sa.select(Measure.trial, Measure.kind, Measure.name, Measure.value).join(Trial).where(done)
                for trial, kind, name, value in connection.execute(query):
                    measures[trial][kind][name] = math.nan if value is None else value
                columns = [getattr(Trial, name) for name in (*_IDENTITY, *_PROVENANCE)]
                costs = [getattr(CostTable, name) for name in _COST]
                for row in connection.execute(sa.select(*columns, *costs).outerjoin(CostTable).where(done)):
                    values = row._mapping
                    numbers = measures[row.digest]
                    result = Result(
                        **{name: values[name] for name in _IDENTITY},
                        config=row.config_digest,
                        environment=row.environment_digest,
                        finished=row.finished,
                        metrics=numbers["metric"],
                        diagnostics=numbers["diagnostic"],
                        durations=numbers["duration"],
                        cost=Cost(**{name: values[name] for name in _COST}),
                        notes=tuple(row.notes),
                        plugins=row.plugins,
                        overrides=tuple(row.overrides),
                    )
                    found.append(result)
        return sorted(found, key=lambda r: (r.benchmark, r.method, r.seed, r.digest))

    def trials(self, **filters: Iterable[str] | None) -> list[TrialRow]:
        """Where every trial stands, ordered by benchmark, method and seed."""
        now, found = time.time(), []
        columns = [getattr(Trial, name) for name in (*_IDENTITY, *_STANDING, "notes", "overrides", "process_start", "expires")]
        with self._read() as connection:
            for where in _clauses(**filters):
                for row in connection.execute(sa.select(*columns).where(where)):
                    values = {name: row._mapping[name] for name in (*_IDENTITY, *_STANDING)}
                    alive = row.state == "running" and not is_void(row, now)
                    found.append(TrialRow(**values, alive=alive, notes=tuple(row.notes), overrides=tuple(row.overrides)))
        return sorted(found, key=lambda t: (t.benchmark, t.method, t.seed, t.digest))

    def states(self, **filters: Iterable[str] | None) -> dict[str, str]:
        """Digest -> state."""
        with self._read() as connection:
            return {d: s for where in _clauses(**filters) for d, s in connection.execute(sa.select(Trial.digest, Trial.state).where(where))}

    def trial(self, prefix: str) -> TrialRow:
        """The one trial whose digest begins with ``prefix``.

        Raises:
            UsageError: there is none, or more than one.
        """
        with self._read() as connection:
            starts = Trial.digest.startswith(prefix, autoescape=True)
            digests = connection.execute(sa.select(Trial.digest).where(starts).limit(4)).scalars().all()
        if not digests:
            raise UsageError(f"no trial '{prefix}'. `harness status --json` lists them.")
        if len(digests) > 1:
            raise UsageError(f"several trials begin with '{prefix}': {', '.join(digests)}. Give more digits.")
        return self.trials(digests=digests)[0]

    def per_sample(self, *, names: Iterable[str] | None = None, **filters: Iterable[str] | None) -> dict[str, dict[str, np.ndarray]]:
        """Digest -> score name -> one float32 per test sample, in the order of the test set."""
        found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        with self._read() as connection:
            for where in _clauses(**filters):
                query = sa.select(Samples.trial, Samples.name, Samples.count, Samples.data).join(Trial).where(where)
                if names is not None:
                    query = query.where(Samples.name.in_(list(names)))
                for trial, name, count, data in connection.execute(query):
                    found[trial][name] = unpack(data, count)
        return dict(found)

    def specs(self) -> list[MetricSpec]:
        """How the metrics of every benchmark are read, in the benchmark's own order."""
        columns = [getattr(Spec, name) for name in _names(MetricSpec)]
        query = sa.select(*columns).order_by(Spec.benchmark, Spec.version, Spec.position)
        with self._read() as connection:
            return [MetricSpec(**row._mapping) for row in connection.execute(query)]

    def floors(self) -> list[Floor]:
        """What the trivial predictors reach."""
        columns = [getattr(FloorTable, name) for name in _names(Floor)]
        with self._read() as connection:
            rows = connection.execute(sa.select(*columns).order_by(*FloorTable.__table__.primary_key)).all()
        return [Floor(*row[:-1], math.nan if row.value is None else row.value) for row in rows]

    def config(self, digest: str) -> dict[str, Any]:
        """The config behind :attr:`Result.config`; empty if it is unknown."""
        with self._read() as connection:
            return connection.execute(sa.select(Config.content).where(Config.digest == digest)).scalar() or {}

    def environments(self) -> dict[str, dict[str, Any]]:
        """Digest -> package versions, git sha, device and driver."""
        with self._read() as connection:
            return {digest: content for digest, content in connection.execute(sa.select(Environment.digest, Environment.content))}


def _names(record: type) -> list[str]:
    return [field.name for field in fields(record)]


def _clauses(
    *,
    benchmarks: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    methods: Iterable[str] | None = None,
    digests: Iterable[str] | None = None,
) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that together select what the filters say, each short enough for one query."""
    base = sa.true()
    for column, names in ((Trial.benchmark, benchmarks), (Trial.family, families), (Trial.method, methods)):
        if names is not None:
            base = sa.and_(base, column.in_(list(names)))
    if digests is None:
        yield base
    else:
        for some in chunks(list(dict.fromkeys(digests))):
            yield sa.and_(base, Trial.digest.in_(some))
