"""Whether what ran last is of the sources that are here.

A trial that is done is not run again: where sources are put back, a database that is kept has newer results than theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.store import Result

Sources = tuple[tuple[str, str], ...]
"""Name of each plugin behind a trial, and digest of its source."""


def elsewhere(results: Iterable[Result], shown: Collection[str], here: Callable[[Sources], bool] | None = None) -> set[str]:
    """Digests of trials behind a board that are of other sources than those here, where some that are not shown are of these.

    Nothing is composed for it: the code of plugins is held against theirs, and only where there are several. An edited entry of the
    registry is not seen.

    Args:
        results: all that may be shown.
        shown: digests of those that are.
        here: whether plugins have these sources here.
    """
    here = here or _Here()
    cells: dict[tuple[Any, ...], dict[Sources, list[str]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        cell = (result.benchmark, result.version, result.method, result.setting or result.dataset, result.overrides)
        cells[cell][tuple(sorted(result.plugins.items()))].append(result.digest)
    found: set[str] = set()
    for variants in cells.values():
        if len(variants) > 1:
            last = {sources: told for sources, digests in variants.items() if (told := [some for some in digests if some in shown])}
            if any(here(sources) for sources in variants.keys() - last.keys()):
                found |= {digest for sources, digests in last.items() if not here(sources) for digest in digests}
    return found


class _Here:
    """Reads sources once they are asked for."""

    def __init__(self) -> None:
        self._known: Mapping[str, Any] | None = None
        self._digests: dict[str, str | None] = {}

    def __call__(self, sources: Sources) -> bool:
        return all(self._digest(name) == digest for name, digest in sources)

    def _digest(self, name: str) -> str | None:
        from harness.catalog.plugins import discover, owners
        from harness.catalog.sources import file_digest
        from harness.errors import UsageError

        if self._known is None:
            try:
                self._known = owners(discover())
            except UsageError:  # two files define one plugin: nothing could be run
                self._known = {}
        if name not in self._digests:
            file = self._known.get(name)
            self._digests[name] = file_digest(file.path, file.module) if file else None
        return self._digests[name]
