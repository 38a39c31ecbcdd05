"""A whole database as JSON lines, readable by any program and by any other database.

The first line says ``{"kind": "header", "schema": 1, "trials": N}``; each further one is a config, an environment, a spec, a
floor or a trial with all of its numbers. Per-sample scores are base64 of :mod:`harness.store.arrays`. A running
trial is exported as planned, since leases do not travel.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from harness.errors import UsageError
from harness.files import whole
from harness.outcome import COSTS
from harness.store.base import Transactions, chunks, insert, insert_new
from harness.store.columns import field_names
from harness.store.lines import LINES, RENAMED, SCHEMA, HeaderLine, TrialLine
from harness.store.numbers import write
from harness.store.records import LEASED, Imported, TrialRecord
from harness.store.schema import configs, costs, environments, floors, names, numbers, samples, specs, trials

_BATCH = 500
_TABLES = {"config": configs, "environment": environments, "spec": specs, "floor": floors}
_TRAVELS = {name: RENAMED.get(name, name) for name in field_names(TrialRecord) if name not in LEASED}
"""Field of a trial -> its name in a line."""


class Portable(Transactions):
    """Export and import."""

    def export_to(self, file: Path) -> int:
        """Write everything to ``file``, which appears whole or not at all; returns the number of trials.

        Raises:
            UsageError: the file cannot be written.
        """
        count = 0
        try:
            with whole(file, durable=True) as stream, self._read() as connection:
                for line in _lines(connection):
                    count += line["kind"] == "trial"
                    stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")) + "\n")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}. Give another file.") from error
        return count

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
    digests = connection.execute(sa.select(trials.c.digest).order_by(trials.c.digest)).scalars().all()
    yield {"kind": "header", "schema": SCHEMA, "trials": len(digests)}
    for kind, table in _TABLES.items():
        for row in connection.execute(sa.select(table).order_by(*table.primary_key)):
            yield {"kind": kind, **row._mapping}
    for some in chunks(digests):
        found: dict[str, dict[str, dict[str, float | None]]] = defaultdict(lambda: defaultdict(dict))
        measured = sa.select(numbers.c.trial, names.c.kind, names.c.name, numbers.c.value).join(names).where(numbers.c.trial.in_(some))
        for trial, kind, name, value in connection.execute(measured):
            found[trial][kind][name] = value
        scores: dict[str, dict[str, Any]] = defaultdict(dict)
        for trial, name, count, data in connection.execute(sa.select(samples).where(samples.c.trial.in_(some))):
            scores[trial][name] = {"count": count, "data": base64.b64encode(data).decode()}
        rows = connection.execute(sa.select(costs).where(costs.c.trial.in_(some)))
        cost = {row.trial: {name: row._mapping[name] for name in COSTS} for row in rows}
        for row in connection.execute(sa.select(trials).where(trials.c.digest.in_(some)).order_by(trials.c.digest)):
            line = {"kind": "trial", **{line: row._mapping[name] for name, line in _TRAVELS.items()}}
            if row.state == "running":
                line["state"] = "planned"
            yield line | {"cost": cost.get(row.digest), "numbers": found[row.digest], "samples": scores[row.digest]}


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
    known = sa.select(trials.c.digest, trials.c.state).where(trials.c.digest.in_([line.digest for line in lines]))
    states = {digest: state for digest, state in connection.execute(known)}
    here, changed = {*states}, {}
    for line in lines:
        state = states.get(line.digest)
        if state is None or (line.state == "done" and state in ("planned", "failed")):
            states[line.digest], changed[line.digest] = line.state, line
    new = []
    for line in changed.values():
        values = {name: getattr(line, travelled) for name, travelled in _TRAVELS.items()}
        if line.digest in here:
            connection.execute(sa.update(trials).where(trials.c.digest == line.digest).values(**values))
        else:
            new.append(values)
    scores = [{"trial": line.digest, "name": name, **some.model_dump()} for line in changed.values() for name, some in line.samples.items()]
    priced = [{"trial": line.digest, **line.cost.model_dump()} for line in changed.values() if line.cost is not None]
    insert(connection, {trials: new})
    write(connection, {line.digest: line.numbers for line in changed.values()})
    insert(connection, {samples: scores, costs: priced})
    return len(changed)
