"""What is in the store, as plain dataclasses: a few queries each, however many trials there are."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa

from harness.errors import UsageError
from harness.outcome import COSTS, Cost
from harness.store.arrays import unpack, unpack_curve
from harness.store.base import Transactions, chunks
from harness.store.columns import field_names
from harness.store.process import is_void
from harness.store.records import Floor, MetricSpec, Result, TrialRow
from harness.store.schema import configs, costs, curves, environments, floors, measures, samples, specs, trials


class Reads(Transactions):
    """The reading half of the store.

    ``results``, ``trials``, ``states`` and ``per_sample`` take any of these filters: ``benchmarks``, ``families``,
    ``methods``, ``digests``, ``purposes``, each a collection of names; none means all.
    """

    def results(self, **filters: Iterable[str] | None) -> list[Result]:
        """The trials that are done, ordered by benchmark, method and seed; without ``purposes`` those that may be shown and compared."""
        found = []
        filters = {"purposes": ("",)} | filters
        with self._read() as connection:
            for where in _clauses(**filters):
                done = sa.and_(where, trials.c.state == "done")
                numbers: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
                for trial, kind, name, value in connection.execute(sa.select(measures).join(trials).where(done)):
                    numbers[trial][kind][name] = math.nan if value is None else value
                priced = connection.execute(sa.select(costs).join(trials).where(done))
                cost = {row.trial: Cost(**{name: row._mapping[name] for name in COSTS}) for row in priced}
                for row in connection.execute(sa.select(trials).where(done)):
                    of_trial = numbers[row.digest]
                    result = Result(
                        **row._mapping,
                        metrics=of_trial["metric"],
                        diagnostics=of_trial["diagnostic"],
                        durations=of_trial["duration"],
                        cost=cost.get(row.digest) or Cost(),
                    )
                    found.append(result)
        return sorted(found, key=lambda r: (r.benchmark, r.method, r.seed, r.digest))

    def trials(self, **filters: Iterable[str] | None) -> list[TrialRow]:
        """Where every trial stands, ordered by benchmark, method and seed."""
        now, found = time.time(), []
        with self._read() as connection:
            for where in _clauses(**filters):
                for row in connection.execute(sa.select(trials).where(where)):
                    found.append(TrialRow(**row._mapping, alive=row.state == "running" and not is_void(row, now)))
        return sorted(found, key=lambda t: (t.benchmark, t.method, t.seed, t.digest))

    def states(self, **filters: Iterable[str] | None) -> dict[str, str]:
        """Digest -> state."""
        with self._read() as connection:
            query = sa.select(trials.c.digest, trials.c.state)
            return {digest: state for where in _clauses(**filters) for digest, state in connection.execute(query.where(where))}

    def trial(self, prefix: str) -> TrialRow:
        """The one trial whose digest begins with ``prefix``.

        Raises:
            UsageError: there is none, or more than one.
        """
        with self._read() as connection:
            starts = trials.c.digest.startswith(prefix, autoescape=True)
            digests = connection.execute(sa.select(trials.c.digest).where(starts).limit(4)).scalars().all()
        if not digests:
            raise UsageError(f"no trial '{prefix}'. `harness status --json` lists them.")
        if len(digests) > 1:
            raise UsageError(f"several trials begin with '{prefix}': {', '.join(digests)}. Give more digits.")
        return self.trials(digests=digests)[0]

    def per_sample(self, **filters: Iterable[str] | None) -> dict[str, dict[str, np.ndarray]]:
        """Digest -> score name -> one float32 per test sample, in the order of the test set."""
        found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        with self._read() as connection:
            for where in _clauses(**filters):
                for trial, name, count, data in connection.execute(sa.select(samples).join(trials).where(where)):
                    found[trial][name] = unpack(data, count)
        return dict(found)

    def curves(self, digests: Iterable[str]) -> dict[str, dict[str, np.ndarray]]:
        """Digest -> ``loss`` or ``val/<metric>`` -> (points, 2) float64 of epoch and value, see
        :attr:`harness.outcome.Outcome.curves`; trials without any are left out."""
        found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        with self._read() as connection:
            for some in chunks(list(dict.fromkeys(digests))):
                for trial, name, count, data in connection.execute(sa.select(curves).where(curves.c.trial.in_(some))):
                    found[trial][name] = unpack_curve(data, count)
        return dict(found)

    def specs(self) -> list[MetricSpec]:
        """How the metrics of every benchmark are read, in the benchmark's own order."""
        columns = [specs.c[name] for name in field_names(MetricSpec)]
        query = sa.select(*columns).order_by(specs.c.benchmark, specs.c.version, specs.c.position)
        with self._read() as connection:
            return [MetricSpec(**row._mapping) for row in connection.execute(query)]

    def floors(self) -> list[Floor]:
        """What the trivial predictors reach."""
        with self._read() as connection:
            rows = connection.execute(sa.select(floors).order_by(*floors.primary_key)).all()
        return [Floor(**{**row._mapping, "value": math.nan if row.value is None else row.value}) for row in rows]

    def config(self, digest: str) -> dict[str, Any]:
        """The config behind :attr:`Result.config_digest`; empty if it is unknown."""
        with self._read() as connection:
            return connection.execute(sa.select(configs.c.content).where(configs.c.digest == digest)).scalar() or {}

    def settings(self) -> dict[str, dict[str, Any]]:
        """:attr:`Result.setting` -> what is behind it, see :func:`harness.compose.setting.setting`."""
        query = sa.select(configs).where(configs.c.digest.in_(sa.select(trials.c.setting)))
        with self._read() as connection:
            return {digest: content for digest, content in connection.execute(query)}

    def environments(self) -> dict[str, dict[str, Any]]:
        """Digest -> package versions, git sha, device and driver."""
        with self._read() as connection:
            return {digest: content for digest, content in connection.execute(sa.select(environments))}


def _clauses(
    *,
    benchmarks: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    methods: Iterable[str] | None = None,
    purposes: Iterable[str] | None = None,
    digests: Iterable[str] | None = None,
) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that together select what the filters say, each short enough for one query."""
    base: sa.ColumnElement[bool] = sa.true()
    named = {trials.c.benchmark: benchmarks, trials.c.family: families, trials.c.method: methods, trials.c.purpose: purposes}
    for column, names in named.items():
        if names is not None:
            base = sa.and_(base, column.in_(list(names)))
    if digests is None:
        yield base
    else:
        for some in chunks(list(dict.fromkeys(digests))):
            yield sa.and_(base, trials.c.digest.in_(some))
