"""Open a database: SQLite's settings, migrations, and errors a user can act on."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from harness.errors import HarnessError, UsageError
from harness.store.schema import REVISION, metadata
from harness.store.url import file_of, parse, shown

BUSY_SECONDS = 30.0
"""How long a writer waits for another one."""


class StoreError(HarnessError):
    """The database cannot be read or written: full disk, lost connection, held by another program."""

    exit_code = 3


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn a driver's errors into one sentence.

    Raises:
        UsageError: not a database of ours, or one that may not be opened.
        StoreError: the database failed for now.
    """
    try:
        yield
    except DBAPIError as error:
        raise _explain(error, url) from error


def _explain(error: DBAPIError, url: URL) -> HarnessError:
    where, text = shown(url), str(error.orig).strip().splitlines()[0] if str(error.orig) else type(error.orig).__name__
    lower = text.lower()
    if any(word in lower for word in ("not a database", "malformed", "could not decode")):
        return UsageError(f"{where} is not a readable SQLite database ({text}). Restore it from an export, or give another --db.")
    if "unable to open" in lower or "readonly" in lower:
        return UsageError(f"{where} cannot be opened for this ({text}). Check that its folder is writable, or give another --db.")
    if "locked" in lower or "busy" in lower:
        return StoreError(f"{where} was held by another program for {BUSY_SECONDS:.0f} s. Stop it and run the same command again.")
    if "full" in lower or "disk i/o" in lower or "no space" in lower:
        return StoreError(f"{where} cannot be written: {text}. Free some space, then run the same command again.")
    return StoreError(f"{where}: {text}")


def _sqlite_settings(engine: sa.Engine, writable: bool) -> None:
    @sa.event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transactions of its own: see begun
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        cursor.execute("PRAGMA foreign_keys = ON")
        if writable:
            _write_ahead(cursor)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later fails at once if another writer came in between;
        # one that takes the write lock first waits for its turn.
        immediate = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    # two that change a new file's mode at once would wait for each other, so that SQLite refuses one at once, whatever the timeout
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def connect(url: URL, *, read_only: bool = False) -> sa.Engine:
    """An engine that opens a connection per transaction, so that none is open when a process forks."""
    file = file_of(url)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=NullPool)
    if file is None:
        engine = sa.create_engine(url, poolclass=StaticPool)
    elif read_only:
        # Without write access SQLite cannot make the two files WAL needs beside the database, but then nobody writes.
        immutable = not os.access(file.parent, os.W_OK) and not Path(f"{file}-wal").exists()
        uri = f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
        engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)
    else:
        # whoever changes the current folder later still means this file
        engine = sa.create_engine(url.set(database=str(file.absolute())), poolclass=NullPool)
    _sqlite_settings(engine, writable=not read_only)
    return engine


def _revision(connection: sa.Connection, url: URL) -> str | None:
    """The migration the database at ``url`` is at; ``None`` where it has no tables.

    Raises:
        UsageError: it holds someone else's tables.
    """
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" in tables:
        # absent while the very first migration of another process is under way
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if tables & set(metadata.tables) or (tables and connection.dialect.name == "sqlite"):
        some = ", ".join(sorted(tables)[:3])
        raise UsageError(f"{shown(url)} holds tables of another program ({some}). Give another --db.")
    return None


def current(url: str) -> str | None:
    """The migration the database at ``url`` is at, ``None`` if it is empty or missing.

    Raises:
        UsageError, StoreError: it cannot be read.
    """
    parsed = parse(url)
    file = file_of(parsed)
    if file is not None and not file.is_file():
        return None
    with explained(parsed), connect(parsed, read_only=True).connect() as connection:
        return _revision(connection, parsed)


def upgrade(url: str) -> str:
    """Bring the database at ``url`` to the newest schema, creating it if need be; returns its revision.

    Raises:
        UsageError: the URL is wrong, the database is of a newer harness or cannot be written.
    """
    parsed = parse(url)
    _migrate(parsed, connect(parsed))
    return REVISION


def _migrate(url: URL, engine: sa.Engine) -> None:
    file = file_of(url)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot create the folder {file.parent} of the database: {error.strerror}. Give another --db.") from error
    with explained(url):
        with engine.connect() as connection:
            if _revision(connection, url) == REVISION:
                return
        from harness.store import migrate

        with engine.execution_options(writes=True).begin() as connection:
            # several runs may start at once: one migrates, the others find it done
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(4207849484)"))
            migrate.run(connection, _revision(connection, url), shown(url))


def connected(url: str, *, read_only: bool = False, create: bool = True) -> tuple[sa.Engine, URL]:
    """An engine on the database at ``url``, and the parsed URL; see :func:`harness.store.open_store`."""
    parsed = parse(url)
    file = file_of(parsed)
    missing = file is not None and not file.is_file()
    if missing and not create and not read_only:
        raise UsageError(f"no database at {file}. `harness run` creates it, or give another --db.")
    if not read_only:
        engine = connect(parsed)
        _migrate(parsed, engine)
        return engine, parsed
    if not missing:
        engine = connect(parsed, read_only=True)
        with explained(parsed), engine.connect() as connection:
            revision = _revision(connection, parsed)
        if revision == REVISION:
            return engine, parsed
        if revision is not None:
            from harness.store import migrate

            migrate.refuse_newer(revision, shown(parsed))
            raise UsageError(f"{shown(parsed)} is of an older harness. Mend: `harness db upgrade --db {shown(parsed)}`.")
    engine = connect(make_url("sqlite://"))
    metadata.create_all(engine)
    return engine, parsed
