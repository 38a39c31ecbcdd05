"""Open a database: URL checks, SQLite's settings, migrations, and errors a user can act on."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool, StaticPool

from harness.errors import HarnessError, UsageError
from harness.store.schema import REVISION, Base

if TYPE_CHECKING:
    from harness.store.store import Store

BUSY_SECONDS = 30.0
"""How long a writer waits for another one."""


class StoreError(HarnessError):
    """The database cannot be read or written: full disk, lost connection, held by another program."""

    exit_code = 3


def _file(url: URL) -> Path | None:
    """The file of a SQLite database, ``None`` in memory or elsewhere."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def parse(url: str) -> URL:
    """A validated database URL.

    Raises:
        UsageError: not a URL, a driver that is not installed, a folder, or a database in memory.
    """
    try:
        parsed = make_url(url)
        parsed.get_dialect().import_dbapi()
    except NoSuchModuleError:
        raise UsageError(f"no database driver for '{parsed.drivername}'. Use sqlite or postgresql+psycopg.") from None
    except ArgumentError:
        raise UsageError(f"'{url}' is not a database URL. Write e.g. sqlite:///results/harness.db.") from None
    except ImportError as error:
        mend = f"Run `pip install '{error.name}'`." if error.name else "Install the package that has it."
        if parsed.drivername.startswith("postgresql"):
            mend = "Run `pip install 'psycopg[binary]'` and write postgresql+psycopg://..."
        raise UsageError(f"the driver for '{parsed.drivername}' is not installed. {mend}") from None
    if parsed.get_backend_name() == "sqlite":
        _check_file(url, parsed)
    return parsed


def _check_file(url: str, parsed: URL) -> None:
    example = "Name a file: sqlite:///results/harness.db."
    if parsed.database in (None, "", ":memory:"):
        raise UsageError(f"'{url}' is a database in memory, which the processes of a run cannot share. {example}")
    if parsed.query or parsed.database.startswith("file:"):
        raise UsageError(f"'{url}' has options, which the harness sets itself. {example}")
    try:
        mode = os.stat(parsed.database).st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UsageError(f"'{url}' cannot be a file: {getattr(error, 'strerror', None) or error}. {example}") from None
    if stat.S_ISDIR(mode):
        raise UsageError(f"'{url}' is a folder. Name a file in it: {url.rstrip('/')}/harness.db.")
    if not stat.S_ISREG(mode):
        raise UsageError(f"'{url}' is no regular file. {example}")


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


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
    where, text = _shown(url), str(error.orig).strip().splitlines()[0] if str(error.orig) else type(error.orig).__name__
    lower = text.lower()
    if "not a database" in lower or "malformed" in lower:
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
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later fails at once if another writer came in between;
        # one that takes the write lock first waits for its turn.
        immediate = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def connect(url: URL, *, read_only: bool = False) -> sa.Engine:
    """An engine that opens a connection per transaction, so that none is open when a process forks."""
    file = _file(url)
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
        engine = sa.create_engine(url, poolclass=NullPool)
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
    if tables & set(Base.metadata.tables) or (tables and connection.dialect.name == "sqlite"):
        some = ", ".join(sorted(tables)[:3])
        raise UsageError(f"{_shown(url)} holds tables of another program ({some}). Give another --db.")
    return None


def current(url: str) -> str | None:
    """The migration the database at ``url`` is at, ``None`` if it is empty or missing.

    Raises:
        UsageError, StoreError: it cannot be read.
    """
    parsed = parse(url)
    file = _file(parsed)
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
    file = _file(url)
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
            migrate.run(connection, _revision(connection, url), _shown(url))


def open_store(url: str, *, read_only: bool = False, create: bool = True) -> Store:
    """Open the database at ``url``, migrating it first if it is to be written.

    Args:
        read_only: change nothing, not even the schema; a missing or empty database reads as one without trials.
        create: make a missing database (or else refuse).

    Raises:
        UsageError: a bad URL, no such database, one that is corrupt, not ours, or of a newer harness.
        StoreError: the database cannot be reached now.
    """
    from harness.store.store import Store

    parsed = parse(url)
    file = _file(parsed)
    missing = file is not None and not file.is_file()
    if missing and not create and not read_only:
        raise UsageError(f"no database at {file}. `harness run` creates it, or give another --db.")
    if not read_only:
        engine = connect(parsed)
        _migrate(parsed, engine)
        return Store(engine, parsed)
    if not missing:
        engine = connect(parsed, read_only=True)
        with explained(parsed), engine.connect() as connection:
            revision = _revision(connection, parsed)
        if revision == REVISION:
            return Store(engine, parsed)
        if revision is not None:
            from harness.store import migrate

            migrate.refuse_newer(revision, _shown(parsed))
            raise UsageError(f"{_shown(parsed)} is of an older harness. Mend: `harness db upgrade --db {_shown(parsed)}`.")
    nothing = make_url("sqlite://")
    engine = connect(nothing)
    Base.metadata.create_all(engine)
    return Store(engine, parsed)
