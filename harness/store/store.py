"""The store: the queue, the results and the readers, on one database."""

from __future__ import annotations

from harness.store.portable import Portable
from harness.store.queue import Queue
from harness.store.reads import Reads


class Store(Queue, Reads, Portable):
    """One open database; made by :func:`harness.store.open_store`.

    It holds no connection between two calls, so that it survives a fork and never keeps others waiting. Every
    method raises :class:`~harness.store.database.StoreError` where the database fails (full disk, lost connection).
    """
