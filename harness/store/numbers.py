"""Numbers of trials, each under a name that is stored once: how they are written, and how those that are wanted are found."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from harness.store.base import chunks, insert, insert_new, number
from harness.store.schema import names, numbers, specs, trials

METRIC, DIAGNOSTIC, DURATION = "metric", "diagnostic", "duration"
KINDS = (METRIC, DIAGNOSTIC, DURATION)
COST = "cost"
"""Named beside the kinds where it is said what to read of a trial."""

Metrics = Collection[str] | Literal["primary", "whole"] | None
"""Which metrics: some by name; ``primary``, by which a benchmark is ranked; ``whole``, without single scenes and classes; or all."""

_FEW = 64
"""Names up to here are looked up in every trial one by one; of more, all numbers of a trial are gone through."""

Numbers = dict[str, dict[str, dict[str, float]]]
"""Kind -> trial -> name -> value."""


class _Wanted(NamedTuple):
    """Some names, and in which trials they are wanted."""

    names: dict[int, tuple[str, str]]
    """Id -> kind and name."""
    where: sa.ColumnElement[bool]


def write(connection: sa.Connection, found: Mapping[str, Mapping[Any, Mapping[str, float | None]]]) -> None:
    """Insert numbers of trials that have none: trial -> kind -> name -> value."""
    told = {(kind, name) for kinds in found.values() for kind, some in kinds.items() for name in some}
    ids = _ids(connection, told)
    if missing := told - ids.keys():
        insert_new(connection, names, [{"kind": kind, "name": name} for kind, name in missing], key=("kind", "name"))
        ids |= _ids(connection, missing)
    rows = [
        {"trial": trial, "name": ids[kind, name], "value": number(value)}
        for trial, kinds in found.items()
        for kind, some in kinds.items()
        for name, value in some.items()
    ]
    insert(connection, {numbers: rows})


def _ids(connection: sa.Connection, told: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    ids = {}
    for some in chunks(sorted({name for _, name in told})):
        for row in connection.execute(sa.select(names).where(names.c.name.in_(some))):
            ids[row.kind, row.name] = row.id
    return ids


def read(
    connection: sa.Connection,
    where: sa.ColumnElement[bool],
    kinds: Collection[str],
    metrics: Metrics,
    diagnostics: Collection[str] | None = None,
) -> Numbers:
    """Numbers of the trials that ``where`` selects.

    Args:
        kinds: which of :data:`KINDS`.
        metrics: which metrics, where these are among the kinds.
        diagnostics: which diagnostics, where these are; all for ``None``.
    """
    known = {row.id: (row.kind, row.name) for row in connection.execute(sa.select(names))}
    found: Numbers = {kind: defaultdict(dict) for kind in KINDS}
    for wanted, also in _wanted(connection, known, kinds, metrics, diagnostics):
        if not wanted:
            continue
        query = sa.select(numbers).join(trials).where(where, also)
        if len(wanted) <= _FEW:
            query = query.where(numbers.c.name.in_([*wanted]))
        elif len(wanted) < len(known):
            query = query.join(names, names.c.id == numbers.c.name).where(names.c.kind.in_(kinds))
        for trial, name, value in connection.execute(query).all():
            if told := wanted.get(name):
                found[told[0]][trial][told[1]] = math.nan if value is None else value
    return found


def _wanted(
    connection: sa.Connection,
    known: Mapping[int, tuple[str, str]],
    kinds: Collection[str],
    metrics: Metrics,
    diagnostics: Collection[str] | None,
) -> Iterator[_Wanted]:
    """Names that are read together."""
    if diagnostics is not None:
        known = {id: told for id, told in known.items() if told[0] != DIAGNOSTIC or told[1] in diagnostics}
    if metrics is None:
        yield _Wanted({id: told for id, told in known.items() if told[0] in kinds}, sa.true())
        return
    rest = {id: told for id, told in known.items() if told[0] in kinds and told[0] != METRIC}
    yield _Wanted(rest, sa.true())
    if METRIC not in kinds:
        return
    of_metrics = {id: told for id, told in known.items() if told[0] == METRIC}
    if metrics == "whole":
        yield _Wanted({id: told for id, told in of_metrics.items() if "/" not in told[1]}, sa.true())
    elif metrics == "primary":
        ranked = defaultdict(list)
        for row in connection.execute(sa.select(specs).where(specs.c.primary)):
            ranked[row.metric].append(sa.and_(trials.c.benchmark == row.benchmark, trials.c.version == row.version))
        for id, told in of_metrics.items():
            if told[1] in ranked:
                yield _Wanted({id: told}, sa.or_(*ranked[told[1]]))
    else:
        yield _Wanted({id: told for id, told in of_metrics.items() if told[1] in metrics}, sa.true())
