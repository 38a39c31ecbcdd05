"""A whole database as JSON lines, readable by any program and by any other database.

The first line says ``{"kind": "header", "schema": 1, "trials": N}``; each further one is a config, an environment, a spec, a
floor or a trial with all of its numbers. Per-sample scores are base64 of :mod:`harness.store.arrays`. A running
trial is exported as planned, since leases do not travel.
"""

from __future__ import annotations

import base64
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from harness.errors import UsageError
from harness.store.base import Transactions, chunks, insert_new
from harness.store.lines import LINES, SCHEMA, HeaderLine, TrialLine
from harness.store.records import Imported
from harness.store.schema import Config, Cost, Environment, Floor, Measure, Samples, Spec, Trial

_BATCH = 500
_TABLES = {"config": Config, "environment": Environment, "spec": Spec, "floor": Floor}


class Portable(Transactions):
    """Export and import."""

    def export_to(self, file: Path) -> int:
        """Write everything to ``file``, which appears whole or not at all; returns the number of trials.

        Raises:
            UsageError: the file cannot be written.
        """
        partial = file.with_name(f".{file.name}.{os.getpid()}.part")
        trials = 0
        try:
            with partial.open("w", encoding="utf-8") as stream, self._read() as connection:
                for line in _lines(connection):
                    trials += line["kind"] == "trial"
                    stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")) + "\n")
            os.replace(partial, file)
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}. Give another file.") from error
        finally:
            partial.unlink(missing_ok=True)
        return trials

    def import_from(self, file: Path) -> Imported:
        """Add what :meth:`export_to` wrote, in one transaction; what is done here already stays as it is.

        Raises:
            UsageError: the file cannot be read or is not such an export; nothing has been changed.
        """
        added = seen = 0
        announced = None
        try:
            with file.open(encoding="utf-8") as stream, self._write() as connection:
                for last, batch in _batches(stream, file):
                    try:
                        if isinstance(batch[0], HeaderLine):
                            announced = batch[0].trials
                        elif isinstance(batch[0], TrialLine):
                            added, seen = added + _add_trials(connection, batch), seen + len(batch)
                        else:
                            insert_new(connection, _TABLES[batch[0].kind], [line.model_dump(exclude={"kind"}) for line in batch])
                    except IntegrityError:
                        raise UsageError(
                            f"{file}, up to line {last}: a trial refers to a config or environment that is not in the file before it. "
                            "Export the database again."
                        ) from None
                if announced is not None and seen != announced:
                    raise UsageError(
                        f"{file} has {seen} trials, its first line says {announced}: it was cut off or changed. Export the database again."
                    )
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}.") from error
        except UnicodeDecodeError:
            raise UsageError(f"{file} is not an export: not UTF-8 text.") from None
        return Imported(trials=added, skipped=seen - added)


def _lines(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    yield {"kind": "header", "schema": SCHEMA, "trials": connection.scalar(sa.select(sa.func.count()).select_from(Trial))}
    for kind, table in _TABLES.items():
        for row in connection.execute(sa.select(table.__table__).order_by(*table.__table__.primary_key)):
            yield {"kind": kind, **row._mapping}
    names = [name for name in TrialLine.model_fields if name not in ("kind", "failure", "numbers", "cost", "samples")]
    digests = connection.execute(sa.select(Trial.digest).order_by(Trial.digest)).scalars().all()
    for some in chunks(digests):
        numbers: dict[str, dict[str, dict[str, float | None]]] = defaultdict(lambda: defaultdict(dict))
        for trial, kind, name, value in connection.execute(sa.select(Measure.__table__).where(Measure.trial.in_(some))):
            numbers[trial][kind][name] = value
        samples: dict[str, dict[str, Any]] = defaultdict(dict)
        for trial, name, count, data in connection.execute(sa.select(Samples.__table__).where(Samples.trial.in_(some))):
            samples[trial][name] = {"count": count, "data": base64.b64encode(data).decode()}
        costs = {row.trial: row for row in connection.execute(sa.select(Cost.__table__).where(Cost.trial.in_(some)))}
        query = sa.select(Trial.__table__).where(Trial.digest.in_(some)).order_by(Trial.digest)
        for row in connection.execute(query):
            line = {"kind": "trial", **{name: row._mapping[name] for name in names}, "failure": row.kind}
            if row.state == "running":
                line["state"] = "planned"
            cost = costs.get(row.digest)
            line["cost"] = None if cost is None else {name: cost._mapping[name] for name in cost._fields if name != "trial"}
            yield line | {"numbers": numbers[row.digest], "samples": samples[row.digest]}


def _parse(text: str, *, first: bool) -> Any:
    """One validated line.

    Raises:
        ValueError: it is malformed.
    """
    content = json.loads(text)
    kind = content.get("kind") if isinstance(content, dict) else None
    if "\\ud" in text.lower():
        json.dumps(content, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    if first:
        if kind != "header" or content.get("schema") != SCHEMA:
            raise ValueError(f"not an export of the harness with schema {SCHEMA}")
        return HeaderLine.model_validate(content)
    if kind not in LINES:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(LINES)}")
    return LINES[kind].model_validate(content)


def _batches(stream: Iterable[str], file: Path) -> Iterator[tuple[int, list[Any]]]:
    """Validated lines of one kind at a time, a few hundred at most, with the number of the last one.

    Raises:
        UsageError: a line is malformed; it is named.
    """
    batch: list[Any] = []
    number = 0
    for number, text in enumerate(stream, start=1):
        try:
            line = _parse(text, first=number == 1)
        except (ValueError, RecursionError) as error:
            reason = str(error)
            if isinstance(error, ValidationError):
                problem = error.errors()[0]
                reason = f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            raise UsageError(f"{file}, line {number}: {reason}. Export the database again.") from None
        if batch and (line.kind != batch[0].kind or len(batch) == _BATCH):
            yield number - 1, batch
            batch = []
        batch.append(line)
    if number == 0:
        raise UsageError(f"{file} is empty, not an export of a database.")
    if batch:
        yield number, batch


def _add_trials(connection: sa.Connection, lines: list[TrialLine]) -> int:
    """Insert the trials that are not here, complete those that are not done here; returns how many."""
    known = sa.select(Trial.digest, Trial.state).where(Trial.digest.in_([line.digest for line in lines]))
    states = {digest: state for digest, state in connection.execute(known)}
    here, changed = {*states}, {}
    for line in lines:
        state = states.get(line.digest)
        if state is None or (line.state == "done" and state in ("planned", "failed")):
            states[line.digest], changed[line.digest] = line.state, line
    rows = []
    for line in changed.values():
        values = line.model_dump(exclude={"kind", "failure", "numbers", "cost", "samples"}) | {"kind": line.failure}
        if line.digest in here:
            connection.execute(sa.update(Trial).where(Trial.digest == line.digest).values(**values))
        else:
            rows.append(values)
    measures = [
        {"trial": line.digest, "kind": kind, "name": name, "value": value}
        for line in changed.values()
        for kind, some in line.numbers.items()
        for name, value in some.items()
    ]
    samples = [
        {"trial": line.digest, "name": n, "count": s.count, "data": s.data} for line in changed.values() for n, s in line.samples.items()
    ]
    costs = [{"trial": line.digest, **line.cost.model_dump()} for line in changed.values() if line.cost is not None]
    for table, new in ((Trial, rows), (Measure, measures), (Samples, samples), (Cost, costs)):
        if new:
            connection.execute(sa.insert(table), new)
    return len(changed)
