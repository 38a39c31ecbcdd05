"""Lists of file names, as people write them: a name a line, with a byte-order mark, blank lines, comments or further columns."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from harness.benchmarks.base import Listing


def rows_in(root: Path, name: str, listing: Listing[Any]) -> list[list[str]]:
    """The columns of each line that is neither blank nor a comment; an unreadable file is a problem of ``listing``."""
    try:
        lines = (root / name).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        listing.add(name, f"cannot read the list {name}: {reason}", "Write one image name per line.")
        return []
    return [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def names_in(root: Path, name: str, listing: Listing[Any]) -> list[str]:
    """The first column of a list, each name once; one that stands there twice is told."""
    names = [row[0] for row in rows_in(root, name, listing)]
    for twice, count in Counter(names).items():
        if count > 1:
            listing.add(name, f"'{twice}' is listed {count} times", "it counts once", fatal=False)
    return list(dict.fromkeys(names))
