"""Notes on a leaderboard: which of them are for a reader of some methods on some benchmarks."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from harness.texts import few

if TYPE_CHECKING:
    from harness.analysis.board import Row


class OfMethod(str):
    """A note that is not on all methods of a benchmark."""

    method: str = ""
    """The one it is on; empty where rows, or what is missing of them, say the same."""

    @classmethod
    def note(cls, text: str, method: str = "") -> OfMethod:
        """The note with its method."""
        made = cls(text)
        made.method = method
        return made


def concerning(notes: Iterable[str], benchmarks: Collection[str], methods: Collection[str]) -> list[str]:
    """Those on some benchmarks as a whole, and on some methods there, without what rows say themselves."""
    told = [note for note in notes if not isinstance(note, OfMethod) or note.method in methods]
    return [note for note in told if note.startswith(tuple(f"{name}{then}" for name in benchmarks for then in (" v", ": ")))]


def undefined(rows: Iterable[Row], where: str) -> list[str]:
    """A note on each metric that some seeds of a method have, and others do not: there is no mean of what is not there."""
    found: list[str] = []
    for row in rows:
        if "/" in row.metric or not math.isnan(row.mean):
            continue
        lost = [str(seed) for seed, value in zip(row.seeds, row.values, strict=True) if math.isnan(value)]
        if 0 < len(lost) < row.n:
            found.append(OfMethod.note(f"{where}: '{row.method}' has no {row.metric} in seed {few(lost)}, and so no mean.", row.method))
    return found
