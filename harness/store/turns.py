"""What several processes would compute alike is computed by one of them, whichever machines they are on."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from harness.digests import digest_of
from harness.store.base import Transactions
from harness.store.url import file_of

PATIENCE = 600.0
"""Seconds after which a block is entered although another process is in it: that one may be stopped."""

_LOOK = 0.1


class Turns(Transactions):
    """Blocks that one process at a time is in."""

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait until no other process is in a block of this name on this database, or for :data:`PATIENCE` seconds.

        Whoever ends, however, is out of it. On PostgreSQL the lock is the session's, on SQLite one of an empty file beside the
        database; on any other nobody waits. Do not fork in the block.
        """
        number = int(digest_of(name)[:15], 16)
        if self._engine.dialect.name == "postgresql":
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                _until(lambda: bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number)))))
                yield
        elif (file := file_of(self._url)) is not None:
            with file.with_name(f".{file.name}-turns").open("a") as stream:  # locks of the database's own file are SQLite's
                _until(lambda: _taken(stream.fileno(), number))
                yield
        else:
            yield


def _until(taken: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not taken() and time.monotonic() < give_up:
        time.sleep(_LOOK)


def _taken(file: int, number: int) -> bool:
    """Whether a byte of the file, which need not be there, could be locked; the kernel lets go with the process."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        return False
    return True
