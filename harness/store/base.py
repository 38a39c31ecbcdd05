"""What every part of the store stands on: an engine, transactions, and inserts that tolerate company."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from harness.store.database import explained

_CHUNK = 500
"""Values in one ``IN (...)``: well below every database's limit."""


class Transactions:
    """Reading and writing transactions on one database."""

    def __init__(self, engine: sa.Engine, url: URL):
        self._engine = engine
        self._url = url
        # PostgreSQL by default shows each query of a transaction what was committed before that query: a trial that ends between
        # two of them would be read without its numbers. SQLite's transactions see one moment.
        self._moment = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        self._held = threading.local()

    @property
    def url(self) -> str:
        """What :func:`harness.store.open_store` opens this database by, password and all."""
        return self._url.render_as_string(hide_password=False)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What this thread reads in the block is of one moment, whatever is written meanwhile. Do not fork in it."""
        with self._read():
            yield

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        """A transaction that sees one moment, or the one that is open already."""
        if (held := getattr(self._held, "connection", None)) is not None:
            yield held
            return
        with explained(self._url), self._engine.execution_options(**self._moment).begin() as connection:
            self._held.connection = connection
            try:
                yield connection
            finally:
                del self._held.connection

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with explained(self._url), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    def close(self) -> None:
        """Release the database; the store is of no use afterwards."""
        self._engine.dispose()


def clock(connection: sa.Connection) -> float:
    """Seconds since the epoch by the clock of the database, which machines with clocks of their own have in common.

    SQLite has none but that of the machine, and is on that machine.
    """
    if connection.dialect.name == "postgresql":
        return float(connection.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))) or 0.0)
    return time.time()


def insert(connection: sa.Connection, rows: Mapping[sa.Table, Sequence[dict[str, Any]]]) -> None:
    """Insert rows into several tables, in the order given."""
    for table, some in rows.items():
        if some:
            connection.execute(sa.insert(table), some)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]], key: Sequence[str] = ()) -> None:
    """Insert the rows whose key (by default the primary one) is not there yet; safe beside others that insert the same."""
    if not rows:
        return
    keys = [*key] or [column.name for column in table.primary_key]
    rows = sorted(rows, key=lambda row: [row[k] for k in keys])  # the same order everywhere, lest two writers deadlock
    dialect = connection.dialect.name
    if dialect in ("sqlite", "postgresql"):
        from importlib import import_module

        tolerant = import_module(f"sqlalchemy.dialects.{dialect}").insert(table).on_conflict_do_nothing()
        connection.execute(tolerant, rows)
        return
    present = {tuple(row) for row in connection.execute(sa.select(*(table.c[name] for name in keys)))}
    missing = [row for row in rows if tuple(row[k] for k in keys) not in present]
    if missing:
        connection.execute(sa.insert(table), missing)


def chunks(values: Sequence[str], first: int = _CHUNK) -> Iterator[Sequence[str]]:
    """Slices short enough for one ``IN (...)``, of which the first has ``first`` values at most."""
    if values:
        yield values[:first]
    for start in range(first, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def number(value: float | None) -> float | None:
    """A value as it is stored: SQLite knows no NaN and JSON no infinity, so that what is not finite is NULL everywhere."""
    return float(value) if value is not None and math.isfinite(value) else None
