"""The store: the queue, the results and the readers, on one database."""

from __future__ import annotations

from harness.store.database import connected
from harness.store.portable import Portable
from harness.store.queue import Queue
from harness.store.reads import Reads
from harness.store.turns import Turns


class Store(Queue, Reads, Portable, Turns):
    """One open database; made by :func:`harness.store.open_store`.

    It holds no connection between two calls, so that it survives a fork and never keeps others waiting. Every
    method raises :class:`~harness.store.database.StoreError` where the database fails (full disk, lost connection).
    """


def open_store(url: str, *, read_only: bool = False, create: bool = True) -> Store:
    """Open the database at ``url``, migrating it first if it is to be written.

    Args:
        read_only: change nothing, not even the schema; a missing or empty database reads as one without trials.
        create: make a missing database (or else refuse).

    Raises:
        UsageError: a bad URL, no such database, one that is corrupt, not ours, or of a newer harness.
        StoreError: the database cannot be reached now.
    """
    return Store(*connected(url, read_only=read_only, create=create))
