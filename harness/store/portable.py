"""A whole database as JSON lines, readable by any program and by any other database.

The first line says ``{"kind": "header", "schema": 1, "trials": N}``; each further one is a config, an environment, a spec, a
floor or a trial with all of its numbers. Per-sample scores, curves and what was taken for what are base64
of :mod:`harness.store.arrays`. A running
trial is exported as planned, since leases do not travel.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from harness.errors import writing
from harness.files import finite, whole
from harness.outcome import COSTS
from harness.store.base import Transactions, chunks, number
from harness.store.numbers import KINDS, read
from harness.store.records import PLACES, SCHEMA, TRAVELS, Imported
from harness.store.schema import ARRAYS, configs, costs, environments, floors, samples, specs, trials

TABLES = {"config": configs, "environment": environments, "spec": specs, "floor": floors}


class Portable(Transactions):
    """Export and import."""

    def export_to(self, file: Path, *, digests: Collection[str] | None = None, bare: bool = False) -> int:
        """Write to ``file``, which appears whole or not at all; returns the number of trials.

        Args:
            digests: the trials to write, with what belongs to them; all there is by default.
            bare: leave out scores of single samples, where logs and pictures lie and why a trial failed, which mean nothing elsewhere; the
                kind of failure stays.

        Raises:
            UsageError: the file cannot be written.
        """
        count = 0
        with writing(file), whole(file, durable=True) as stream, self._read() as connection:
            for line in lines(connection, digests, bare):
                count += line["kind"] == "trial"
                stream.write(_text(line) + "\n")
        return count

    def import_from(self, file: Path) -> Imported:
        """Add what :meth:`export_to` wrote, in one transaction.

        What is done here already stays as it is, and gets of the same attempt what it lacks.

        Raises:
            UsageError: the file cannot be read or is not such an export; nothing has been changed.
        """
        from harness.store import imports  # checking lines takes a seventh of a second to import

        return imports.read(file, self._write, TABLES)


def _text(line: dict[str, Any]) -> str:
    options: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "sort_keys": True, "separators": (",", ":")}
    try:
        return json.dumps(line, **options)
    except ValueError:  # an infinity, which a config, a floor or a cost may hold, and JSON may not
        return json.dumps(finite(line), **options)


def lines(connection: sa.Connection, wanted: Collection[str] | None = None, bare: bool = False) -> Iterator[dict[str, Any]]:
    """The lines of an export of what an open transaction sees; see :meth:`Portable.export_to`."""
    digests = connection.execute(sa.select(trials.c.digest).order_by(trials.c.digest)).scalars().all()
    if wanted is not None:
        chosen = {*wanted}
        digests = [digest for digest in digests if digest in chosen]
    yield {"kind": "header", "schema": SCHEMA, "trials": len(digests)}
    needed = None if wanted is None else _needed(connection, digests)
    for kind, table in TABLES.items():
        for row in connection.execute(sa.select(table).order_by(*table.primary_key)):
            if needed is None or row[0] in needed:
                yield {"kind": kind, **row._mapping}
    hidden = dict.fromkeys(PLACES) if bare else {}
    for some in chunks(digests):
        found = read(connection, trials.c.digest.in_(some), KINDS, None)
        arrays: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: {kind: {} for kind in ARRAYS})
        for kind, table in ARRAYS.items():
            if bare and table is samples:
                continue
            for trial, name, count, data in connection.execute(sa.select(table).where(table.c.trial.in_(some))):
                arrays[trial][kind][name] = {"count": count, "data": base64.b64encode(data).decode()}
        rows = connection.execute(sa.select(costs).where(costs.c.trial.in_(some)))
        cost = {row.trial: {name: row._mapping[name] for name in COSTS} for row in rows}
        for row in connection.execute(sa.select(trials).where(trials.c.digest.in_(some)).order_by(trials.c.digest)):
            line = {"kind": "trial", **{line: row._mapping[name] for name, line in TRAVELS.items()}, **hidden}
            if row.state == "running":
                line["state"] = "planned"
            measured = {
                kind: {name: number(value) for name, value in of[row.digest].items()} for kind, of in found.items() if row.digest in of
            }
            yield line | {"cost": cost.get(row.digest), "numbers": measured, **arrays[row.digest]}


def _needed(connection: sa.Connection, digests: Sequence[str]) -> set[str]:
    """The first key of the configs, environments, specs and floors that some trials refer to."""
    columns = [trials.c[name] for name in ("config_digest", "setting", "tuning", "environment_digest", "benchmark")]
    return {
        key for some in chunks(digests) for row in connection.execute(sa.select(*columns).where(trials.c.digest.in_(some))) for key in row
    }
