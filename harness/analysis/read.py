"""From an open store to the leaderboard: the one way the command line and the dashboard read results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.analysis import leaderboard
from harness.analysis.leaderboard import Board

if TYPE_CHECKING:
    from harness.store import Store


@contextmanager
def reading(url: str) -> Iterator[Store]:
    """The store at ``url``, opened read-only; a missing one reads as empty."""
    from harness.store import open_store

    store = open_store(url, read_only=True)
    try:
        yield store
    finally:
        store.close()


def read_board(
    store: Store,
    *,
    benchmarks: Iterable[str] | None = None,
    families: Iterable[str] | None = None,
    digests: Iterable[str] | None = None,
    all_versions: bool = False,
) -> Board:
    """The leaderboard of the trials that the filters select; ``None`` means all."""
    results = store.results(benchmarks=benchmarks, families=families, digests=digests)
    numerics = {digest: about.get("numerics") for digest, about in store.environments().items()}
    return leaderboard.build(results, store.specs(), store.floors(), numerics=numerics, all_versions=all_versions)
