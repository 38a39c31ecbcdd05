"""What is in the store, as plain dataclasses: a few queries each, however many trials there are."""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.digests import digest_of
from harness.errors import UsageError
from harness.garbage import uncollected
from harness.outcome import COSTS, Confusion, Cost
from harness.store.arrays import unpack, unpack_confusion, unpack_curve
from harness.store.base import Transactions, chunks, clock
from harness.store.columns import field_names
from harness.store.numbers import COST, DIAGNOSTIC, DURATION, KINDS, METRIC, Metrics, read
from harness.store.process import is_void
from harness.store.records import LEASED, Floor, Lot, MetricSpec, Result, TrialRow
from harness.store.schema import ARRAYS, configs, confusions, costs, curves, environments, floors, samples, specs, trials

if TYPE_CHECKING:
    import numpy as np


_OF_RESULT = [column for column in trials.c if column.name not in LEASED]
"""A trial that is done has no lease."""

_CHANGED = sa.func.coalesce(trials.c.finished, trials.c.started, trials.c.created)
"""When something was last heard of a trial."""


class Reads(Transactions):
    """The reading half of the store. Each call reads one moment; several do within :meth:`snapshot`.

    ``results``, ``trials``, ``counts``, ``states`` and ``per_sample`` take any of these filters: ``benchmarks``, ``families``,
    ``slots``, ``methods``, ``digests``, ``states``, ``purposes``, each a collection of names; none means all. Of ``words`` each must be
    a part of a trial's digest, method, benchmark or reason.
    """

    def results(
        self,
        *,
        kinds: Collection[str] = (*KINDS, COST),
        metrics: Metrics = None,
        diagnostics: Iterable[str] | None = None,
        **filters: Iterable[str] | None,
    ) -> list[Result]:
        """The trials that are done, ordered by benchmark, method and seed; without ``purposes`` those that may be shown and compared.

        Args:
            kinds: what is read of ``metric``, ``diagnostic``, ``duration`` and ``cost``; the others are empty.
            metrics: which metrics: names, ``primary``, ``whole`` (without single scenes and classes), or all.
            diagnostics: which diagnostics: names, or all.
        """
        found, described = [], None if diagnostics is None else frozenset(diagnostics)
        filters = {"purposes": ("",)} | filters
        with uncollected(), self._read() as connection:
            for where in _clauses(**filters):
                done = sa.and_(where, trials.c.state == "done")
                measured = read(connection, done, kinds, metrics, described)
                cost = {}
                if COST in kinds:
                    priced = connection.execute(sa.select(costs.c.trial, *(costs.c[name] for name in COSTS)).join(trials).where(done))
                    cost = {trial: Cost(*values) for trial, *values in priced.all()}
                for told in _rows(connection, sa.select(*_OF_RESULT).where(done)):
                    digest = told["digest"]
                    result = Result(
                        **told,
                        metrics=measured[METRIC].get(digest, {}),
                        diagnostics=measured[DIAGNOSTIC].get(digest, {}),
                        durations=measured[DURATION].get(digest, {}),
                        cost=cost.get(digest) or Cost(),
                    )
                    found.append(result)
        return sorted(found, key=lambda r: (r.benchmark, r.method, r.seed, r.digest))

    def trials(self, *, page: tuple[int, int] | None = None, newest: bool = False, **filters: Iterable[str] | None) -> list[TrialRow]:
        """Where every trial stands, ordered by benchmark, method and seed.

        Args:
            page: how many trials to leave out, and how many to return after these; by default all are returned.
            newest: first those of which something was heard last.
        """
        found = []
        order: tuple[Any, ...] = (trials.c.benchmark, trials.c.method, trials.c.seed, trials.c.digest)
        if newest:
            order = (_CHANGED.desc(), *order)
        first, last = (0, None) if page is None else (page[0], sum(page))
        with uncollected(), self._read() as connection:
            now = clock(connection)
            for where in _clauses(**filters):
                for told in _rows(connection, sa.select(trials).where(where).order_by(*order).limit(last)):
                    row = TrialRow(**told, alive=False)
                    found.append(replace(row, alive=True) if row.state == "running" and not is_void(row, now) else row)
        found.sort(key=lambda t: (t.benchmark, t.method, t.seed, t.digest))
        if newest:
            found.sort(key=lambda t: -(t.finished or t.started or t.created))
        return found[first:last]

    def counts(self, **filters: Iterable[str] | None) -> dict[str, dict[str, int]]:
        """Benchmark -> state -> number of trials, in the order of the benchmarks' names."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        with self._read() as connection:
            for where in _clauses(**filters):
                query = sa.select(trials.c.benchmark, trials.c.state, sa.func.count()).where(where)
                for benchmark, state, count in connection.execute(query.group_by(trials.c.benchmark, trials.c.state)):
                    found[benchmark][state] += count
        return {benchmark: dict(found[benchmark]) for benchmark in sorted(found)}

    def lots(self, **filters: Iterable[str] | None) -> list[Lot]:
        """How many trials stand how, by when they were planned, benchmark and state; in that order."""
        timed = trials.c.finished - trials.c.started
        sums = [trials.c.expected, sa.case((timed.is_not(None), trials.c.expected)), timed]
        told = (trials.c.created, trials.c.benchmark, trials.c.state)
        columns = [*told, sa.func.count(), *(sa.func.coalesce(sa.func.sum(column), 0.0) for column in sums), sa.func.max(_CHANGED)]
        with self._read() as connection:
            found = [
                Lot(*row) for where in _clauses(**filters) for row in connection.execute(sa.select(*columns).where(where).group_by(*told))
            ]
        return sorted(found, key=lambda lot: (lot.created, lot.benchmark, lot.state))

    def stamp(self) -> str:
        """A word that changes whenever anything that is read here does: what was made of the store with the same stamp still holds.

        Heartbeats change nothing, and neither does the death of a process: :attr:`TrialRow.alive` is not part of it.
        """
        told = [
            trials.c.benchmark,
            trials.c.state,
            trials.c.task,
            trials.c.setting,
            trials.c.purpose,
            trials.c.tuning,
            sa.cast(trials.c.overrides, sa.Text),
        ]
        times = [sa.func.max(column) for column in (trials.c.created, trials.c.started, trials.c.finished)]
        numbered = (sa.func.count(), sa.func.sum(trials.c.attempts), sa.func.count(trials.c.reason))
        query = sa.select(*told, *times, *numbered).group_by(*told).order_by(*told)
        with self._read() as connection:
            parts = [[str(row) for row in connection.execute(query)]]
            parts.append([str(row) for row in connection.execute(sa.select(specs).order_by(*specs.primary_key))])
            counted = (floors, *ARRAYS.values())  # an import completes trials that ended long ago
            parts.append([str(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()) for table in counted])
        return digest_of(parts)

    def methods(self) -> list[str]:
        """Those of all trials, by name."""
        with self._read() as connection:
            return [*connection.execute(sa.select(trials.c.method).distinct().order_by(trials.c.method)).scalars()]

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

    def confusions(self, digests: Iterable[str]) -> dict[str, Confusion]:
        """Digest -> what the model took for what; trials that did not say are left out."""
        with self._read() as connection:
            return {
                trial: unpack_confusion(data, count, unit)
                for some in chunks(list(dict.fromkeys(digests)))
                for trial, unit, count, data in connection.execute(sa.select(confusions).where(confusions.c.trial.in_(some)))
            }

    def peaks(self) -> dict[str, float]:
        """:attr:`Result.setting` -> the most MB that training took in any trial of it that is done, where that was measured."""
        most = sa.func.max(costs.c.train_memory_mb)
        query = sa.select(trials.c.setting, most).join(costs).where(trials.c.state == "done").group_by(trials.c.setting)
        with self._read() as connection:
            return {setting: peak for setting, peak in connection.execute(query) if setting and peak is not None}

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

    def rows(self, table: sa.Table, count: int) -> Iterator[list[dict[str, Any]]]:
        """All rows of a table, ``count`` at a time."""
        with self._read() as connection:
            query = sa.select(table).order_by(*table.primary_key).execution_options(yield_per=count)
            for some in connection.execute(query).partitions():
                yield [dict(row._mapping) for row in some]

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


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[dict[str, Any]]:
    """Column -> value of each row: all at once, several times as fast as one by one."""
    result = connection.execute(query)
    # SQLAlchemy's own kind of text is compared letter by letter where a call takes it as a keyword: half the time a record takes
    columns = [sys.intern(str(key)) for key in result.keys()]  # noqa: SIM118 - iterating the result itself takes its rows
    return (dict(zip(columns, row, strict=True)) for row in result.all())


def _clauses(
    *,
    benchmarks: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    slots: Iterable[str] | None = None,
    methods: Iterable[str] | None = None,
    purposes: Iterable[str] | None = None,
    digests: Iterable[str] | None = None,
    states: Iterable[str] | None = None,
    words: Iterable[str] | None = None,
) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that together select what the filters say, each short enough for one query."""
    base: sa.ColumnElement[bool] = sa.true()
    named = {
        trials.c.benchmark: benchmarks,
        trials.c.family: families,
        trials.c.slot: slots,
        trials.c.method: methods,
        trials.c.purpose: purposes,
        trials.c.state: states,
    }
    for column, wanted in named.items():
        if wanted is not None:
            base = sa.and_(base, column.in_(list(wanted)))
    for word in words or ():
        told = (trials.c.digest, trials.c.method, trials.c.benchmark, trials.c.reason)
        base = sa.and_(base, sa.or_(*(column.icontains(word, autoescape=True) for column in told)))
    if digests is None:
        yield base
    else:
        for some in chunks(list(dict.fromkeys(digests))):
            yield sa.and_(base, trials.c.digest.in_(some))
