"""Entry points of installed packages, read without running any code of theirs."""

from __future__ import annotations

import contextlib
from importlib.metadata import EntryPoint, distributions, entry_points


def entry_points_of(group: str) -> list[EntryPoint]:
    """The entry points of a group, each once; a damaged installation among all costs its own only."""
    try:
        found = [*entry_points(group=group)]
    except Exception:  # whatever a malformed distribution raises
        found = []
        for distribution in distributions():
            with contextlib.suppress(Exception):
                found += distribution.entry_points.select(group=group)
    return [*dict.fromkeys(found)]
