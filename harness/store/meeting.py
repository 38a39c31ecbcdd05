"""What a file says of benchmarks and configs, held against what a database has of the same ones before it is added."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from harness.errors import UsageError
from harness.files import finite
from harness.store.schema import configs, environments, floors, specs

_ROUNDING = 1e-6
"""Of a floor that another processor computed."""


def meet(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Floors that are other ones here, in words; those here stay.

    Raises:
        UsageError: a metric has another unit or direction here, or a digest stands for something else.
    """
    keys = [column.name for column in table.primary_key]
    first = table.c[keys[0]]
    some = connection.execute(sa.select(table).where(first.in_({row[keys[0]] for row in rows}))).mappings()
    here = {tuple(row[key] for key in keys): dict(row) for row in some}
    pairs = [(here[place], row) for row in rows if (place := tuple(row[key] for key in keys)) in here]
    if table is specs:
        for mine, its in pairs:
            for name, what in (("unit", "unit"), ("higher_is_better", "direction")):
                if mine[name] != its[name]:
                    where = f"{its['metric']} of {its['benchmark']} v{its['version']}"
                    raise UsageError(
                        f"{where} has another {what} in the file ({name} {its[name]!r}) than here ({mine[name]!r}): they are results of "
                        "different metrics. Import it into a database of its own (--db)."
                    )
    if table in (configs, environments):
        for mine, its in pairs:
            if finite(mine["content"]) != finite(its["content"]):
                what = f"{table.name.removesuffix('s')} {its['digest']}"
                raise UsageError(f"{what} stands for something else in the file than here: one was changed. Export the database again.")
    if table is floors:
        return [_told(mine, its) for mine, its in pairs if not _equal(mine["value"], its["value"])]
    return []


def _told(mine: Mapping[str, Any], its: Mapping[str, Any]) -> str:
    values = ["none" if value is None else f"{value:.6g}" for value in (mine["value"], its["value"])]
    return f"{its['metric']} of {its['benchmark']} v{its['version']} {values[0]}, there {values[1]}"


def _equal(one: float | None, other: float | None) -> bool:
    one, other = (math.nan if value is None else value for value in (one, other))
    return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))
