"""The tables, made from the records. Times are seconds since the epoch; values that are not a number are stored as NULL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ForeignKey, LargeBinary, MetaData, String, Table, UniqueConstraint
from sqlalchemy.types import Double, Integer

from harness.outcome import Cost
from harness.store.columns import held
from harness.store.records import Content, Floor, PlacedSpec, TrialRecord

REVISION = max(file.name[:4] for file in Path(__file__).with_name("migrations").glob("versions/[0-9]*.py"))
"""The newest migration; it yields exactly these tables."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Constraints have names, so that every database can alter them later."""


def _columns(
    record: type, *, key: Collection[str], index: Collection[str] = (), refers: Mapping[str, str] | None = None
) -> list[Column[Any]]:
    """A column per field.

    Args:
        refers: field -> the ``table.column`` it names.
    """
    columns = []
    for field in held(record):
        target = (refers or {}).get(field.name)
        options: dict[str, Any] = {"nullable": field.nullable, "server_default": field.server_default}
        keys: dict[str, Any] = {"primary_key": True, "autoincrement": False} if field.name in key else {}
        references = [ForeignKey(target)] if target else []
        columns.append(Column(field.name, field.column, *references, index=field.name in index or None, **options, **keys))
    return columns


def _of_trial() -> Column[str]:
    return Column("trial", String(32), ForeignKey("trials.digest", ondelete="CASCADE"), primary_key=True)


# Rows are only ever looked up by trial: without a rowid, SQLite stores them in that order and needs no second index.
_CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}

configs = Table("configs", metadata, *_columns(Content, key=["digest"]))
environments = Table("environments", metadata, *_columns(Content, key=["digest"]))
specs = Table("specs", metadata, *_columns(PlacedSpec, key=["benchmark", "version", "metric"]))
floors = Table("floors", metadata, *_columns(Floor, key=["benchmark", "version", "dataset", "task", "metric"]))

trials = Table(
    "trials",
    metadata,
    *_columns(
        TrialRecord,
        key=["digest"],
        index=["benchmark", "state"],
        refers={"config_digest": "configs.digest", "environment_digest": "environments.digest"},
    ),
)
"""Planned, running, done and failed; the queue is the rows that are planned or whose lease is void."""

costs = Table("costs", metadata, _of_trial(), *_columns(Cost, key=[]))

names = Table(
    "names",
    metadata,
    Column("id", Integer(), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    UniqueConstraint("kind", "name"),
)
"""What is measured: metrics, diagnostics and durations. A trial has a hundred numbers, and every trial the same ones."""

numbers = Table(
    "numbers",
    metadata,
    _of_trial(),
    Column("name", Integer(), ForeignKey("names.id"), primary_key=True, autoincrement=False),
    Column("value", Double()),
    **_CLUSTERED,
)
"""What a trial measured, by :data:`names`."""


def _arrays(name: str) -> Table:
    """Named arrays of trials, compressed (:mod:`harness.store.arrays`)."""
    return Table(
        name,
        metadata,
        _of_trial(),
        Column("name", String(255), primary_key=True),
        Column("count", Integer(), nullable=False),
        Column("data", LargeBinary(), nullable=False),
    )


samples = _arrays("samples")
"""One score per test sample."""

curves = _arrays("curves")
"""Learning curves, ``count`` points each."""

confusions = _arrays("confusions")
"""What was taken for what, ``count`` classes, by the name of what is counted."""

ARRAYS = {"samples": samples, "curves": curves, "confusions": confusions}
"""By their name in a line of an export."""
