"""A copy of a whole database, taken while others write: a SQLite file, whatever the database is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from harness.errors import UsageError, writing
from harness.files import sync
from harness.store.database import StoreError, connect, explained, upgrade
from harness.store.queue import give_back
from harness.store.schema import REVISION, metadata
from harness.store.store import open_store
from harness.store.url import file_of, parse, shown

_BATCH = 500


def backup(url: str, file: Path) -> int:
    """Copy the database at ``url``, as it is at one moment, to ``file``, which appears whole or not at all; the number of trials.

    What was running then is planned in the copy, since leases do not travel. A SQLite database is copied with the schema it has.

    Raises:
        UsageError: there is such a file already, it cannot be written, or the database cannot be read.
        StoreError: the database failed for now.
    """
    parsed = parse(url)
    source = file_of(parsed)
    if source is not None and not source.is_file():
        raise UsageError(f"no database at {source}. Give another --db.")
    beside = [file.with_name(file.name + end) for end in ("", "-wal", "-journal")]
    if there := next((one for one in beside if one.exists()), None):
        raise UsageError(f"{there} is there already. Give another file: a backup replaces none.")
    partial = file.with_name(f".{uuid.uuid4().hex}.part")
    target = URL.create("sqlite", database=str(partial.absolute()))
    try:
        with writing(file):
            partial.touch()
            if source is not None:
                _copy_file(parsed, partial)
            else:
                _copy_rows(url, target)
            count = _settle(target)
            sync(partial)
            os.replace(partial, file)
            sync(file.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return count


def _copy_file(url: URL, partial: Path) -> None:
    with explained(url), connect(url, read_only=True).connect() as connection, contextlib.closing(sqlite3.connect(partial)) as copy:
        try:
            # all pages in one step, in one reading transaction: writers go on, and none of what they write is half in it
            cast("sqlite3.Connection", connection.connection.driver_connection).backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without what else is written ahead beside it
        except sqlite3.Error as error:
            raise StoreError(f"{shown(url)} cannot be copied to {partial.parent}: {error}.") from error


def _copy_rows(url: str, target: URL) -> None:
    upgrade(f"sqlite:///{target.database}")
    store = open_store(url, read_only=True)
    engine = sa.create_engine(target, poolclass=NullPool)
    with store.snapshot(), explained(target), engine.begin() as copy:
        for table in metadata.sorted_tables:
            for rows in store.rows(table, _BATCH):
                copy.execute(sa.insert(table), rows)


def _settle(target: URL) -> int:
    engine: Any = sa.create_engine(target, poolclass=NullPool)
    with explained(target), engine.begin() as copy:
        if "alembic_version" not in sa.inspect(copy).get_table_names():
            return 0
        if copy.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == REVISION:
            give_back(copy)
        return int(copy.execute(sa.text("SELECT count(*) FROM trials")).scalar() or 0)
