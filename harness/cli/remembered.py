"""Rows of ``harness list`` as they were found last time, while nothing they come from has changed.

Finding them takes pydantic, YAML and the syntax trees of plugins; looking at the state of those files takes
milliseconds.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from harness import paths
from harness.files import write_whole

Rows = list[dict[str, Any]]


def remembered(find: Callable[[], Rows], *question: Any) -> Rows:
    """``find()``, or what it found for the same ``question`` (JSON values) while its inputs were as they are now.

    Inputs are the registry files, the harness, plugin files and what they import, the folders Python imports from and
    the entry points there, each by its size and time of change. A row with an ``error`` is found anew each time: its
    mend may lie in a file that is not looked at here.
    """
    asked = json.dumps([question, sys.version, sys.path, os.getcwd()])
    store = paths.cache_dir() / "lists" / f"{hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()}.json"
    now = _state(_inputs())
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
        if known["state"] == now and known["sources_state"] == _state(known["sources"]):
            rows: Rows = known["rows"]
            return rows
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing is remembered, or not in this form
    rows = find()

    from harness.catalog.plugins import discover
    from harness.catalog.sources import sources

    files = discover(with_shipped=False)
    if not any(item.error for item in files) and not any(row.get("error") for row in rows):
        found = sorted({str(source) for file in files for source in sources(file.path, file.module)})
        _write(store, {"state": now, "sources": found, "sources_state": _state(found), "rows": rows})
    return rows


def _inputs() -> Iterator[str]:
    yield from map(str, paths.registry_files())
    for folder in sys.path:
        yield folder  # installing or removing a package changes it
        yield from sorted(glob.iglob(os.path.join(glob.escape(folder), "*-info", "entry_points.txt")))
    for tree in (Path(__file__).parents[1], paths.plugins(), Path("plugins")):
        for place, below, names in os.walk(tree):
            below.sort()
            yield from (os.path.join(place, name) for name in sorted(names) if name.endswith(".py"))


def _state(files: Iterable[str]) -> str:
    """Digest of the path, size and time of change of each file."""
    found: list[tuple[str, int | None, int | None]] = []
    for path in files:
        try:
            status = os.stat(path or ".")
            found.append((path, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append((path, None, None))
    return hashlib.blake2b(repr(found).encode(), digest_size=16).hexdigest()


def _write(store: Path, document: dict[str, Any]) -> None:
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        write_whole(store, json.dumps(document))
    except OSError:
        pass  # what cannot be remembered is found again
