"""Trials of an export put beside those that are here: what is new is added, what is not done is finished, what is the same is completed.

Which device a trial ran on is no part of its digest, and another processor computes other digits: a database has one result of a trial,
and whoever brings another one is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from harness.store import numbers
from harness.store.base import insert, number
from harness.store.lines import TrialLine
from harness.store.records import PLACES, TRAVELS, Imported, Other
from harness.store.schema import ARRAYS, costs, environments, trials

_ROUNDING = 1e-9
"""Of a number that another program wrote again, relative to it."""


@dataclass
class Merged:
    """What became of the trials of a file so far."""

    seen: int = 0
    added: int = 0
    completed: int = 0
    others: list[Other] = field(default_factory=list)
    floors: list[str] = field(default_factory=list)

    def told(self) -> Imported:
        """The sum of it."""
        skipped = self.seen - self.added - self.completed - len(self.others)
        return Imported(trials=self.added, skipped=skipped, completed=self.completed, others=tuple(self.others), floors=tuple(self.floors))

    def add(self, connection: sa.Connection, lines: list[TrialLine]) -> None:
        """Insert the trials that are not here, finish those that are not done here, and complete those that are."""
        known = sa.select(trials).where(trials.c.digest.in_([line.digest for line in lines]))
        known = known.order_by(trials.c.digest).with_for_update()  # a run may be about to record one of them
        here = {row.digest: row for row in connection.execute(known)}
        states, changed, ended = {digest: row.state for digest, row in here.items()}, {}, {}
        for line in lines:
            state = states.get(line.digest)
            if state is None or (line.state == "done" and state in ("planned", "failed")):
                states[line.digest], changed[line.digest] = line.state, line
            elif line.state == state != "planned" and line.digest not in changed:
                ended[line.digest] = line
        self.seen += len(lines)
        self.added += len(changed)
        _write(connection, changed, {*here})
        self._meet(connection, [(here[digest], line) for digest, line in ended.items()])

    def _meet(self, connection: sa.Connection, pairs: list[tuple[sa.Row[Any], TrialLine]]) -> None:
        """Lines of trials that have ended here, too."""
        done = [row.digest for row, line in pairs if line.state == "done"]
        metrics = numbers.read(connection, trials.c.digest.in_(done), (numbers.METRIC,), None)[numbers.METRIC] if done else {}
        places = {digest for row, line in pairs for digest in (row.environment_digest, line.environment_digest)}
        devices = _devices(connection, places if done else ())
        same = []
        for row, line in pairs:
            mine, its = (devices.get(digest or "", "") for digest in (row.environment_digest, line.environment_digest))
            if line.state == "done" and ((mine and its and mine != its) or not _equal(metrics.get(row.digest, {}), line.numbers.metric)):
                self.others.append(Other(line.digest, mine, its))
            elif (row.environment_digest, row.finished) == (line.environment_digest, line.finished):
                same.append((row, line))
        self.completed += _complete(connection, same)


def _write(connection: sa.Connection, changed: Mapping[str, TrialLine], here: set[str]) -> None:
    new = []
    for line in changed.values():
        values = {name: getattr(line, travelled) for name, travelled in TRAVELS.items()}
        if line.digest in here:
            connection.execute(sa.update(trials).where(trials.c.digest == line.digest).values(**values))
        else:
            new.append(values)
    arrays = {table: [row for line in changed.values() for row in _arrays(line, kind)] for kind, table in ARRAYS.items()}
    priced = [{"trial": line.digest, **line.cost.model_dump()} for line in changed.values() if line.cost is not None]
    insert(connection, {trials: new})
    numbers.write(connection, {line.digest: line.numbers.model_dump(exclude_unset=True) for line in changed.values()})
    insert(connection, {**arrays, costs: priced})


def _arrays(line: TrialLine, kind: str) -> list[dict[str, Any]]:
    return [{"trial": line.digest, "name": name, **some.model_dump()} for name, some in getattr(line, kind).items()]


def _complete(connection: sa.Connection, same: list[tuple[sa.Row[Any], TrialLine]]) -> int:
    """Add what lines of the same attempts have beyond what is here (a bare export leaves some out); returns of how many trials."""
    completed = set()
    for row, line in same:
        places = {name: its for name in PLACES if (its := getattr(line, name)) is not None}
        if places and all(row._mapping[name] is None for name in PLACES):
            connection.execute(sa.update(trials).where(trials.c.digest == line.digest).values(**places))
            completed.add(line.digest)
    for kind, table in ARRAYS.items():
        query = sa.select(table.c.trial, table.c.name).where(table.c.trial.in_([line.digest for _, line in same]))
        held = {tuple(row) for row in connection.execute(query)}
        rows = [row for _, line in same for row in _arrays(line, kind) if (row["trial"], row["name"]) not in held]
        insert(connection, {table: rows})
        completed |= {row["trial"] for row in rows}
    return len(completed)


def _devices(connection: sa.Connection, wanted: Iterable[str | None]) -> dict[str, str]:
    """Digest of an environment -> ``cpu`` or ``cuda``; those that do not say are left out."""
    query = sa.select(environments).where(environments.c.digest.in_([digest for digest in wanted if digest]))
    found = {digest: str(content.get("device") or "").partition(":")[0] for digest, content in connection.execute(query)}
    return {digest: device for digest, device in found.items() if device}


def _equal(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> bool:
    """Whether two results agree in what both have measured."""
    pairs = ((number(one[name]), number(other[name])) for name in one.keys() & other.keys())
    return all(a is b if a is None or b is None else math.isclose(a, b, rel_tol=_ROUNDING, abs_tol=_ROUNDING) for a, b in pairs)
