"""Which files are a dataset's, whatever its format.

A file counts if it lies in the dataset's folder, or where a link in it leads, or in a place that the entry names absolutely. A path
that a file of the dataset contains leads nowhere else: neither by being absolute nor by going up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def is_inside(file: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path, read from left to right, stays in one of ``places``; where links on the way lead does not matter."""
    plain = os.path.abspath(file)
    if not any(plain == place or plain.startswith(os.path.join(place, "")) for place in map(os.path.abspath, places)):
        return False
    # behind a link, `..` is not the folder that the path had before
    return os.pardir not in Path(file).parts or os.path.realpath(file) == os.path.realpath(plain)


def named_absolutely(options: Any) -> Iterator[str]:
    """The absolute paths among all texts of data options."""
    return (text for _, text in _texts(options) if os.path.isabs(text) and os.path.abspath(text) != os.sep)


def leading_out(options: Any) -> Iterator[tuple[str, str]]:
    """(key, text) of the data options that go up and out of the dataset's folder."""
    for key, text in _texts(options):
        if os.pardir in Path(text).parts and Path(os.path.normpath(text)).parts[:1] == (os.pardir,):
            yield key, text


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, (dict, list, tuple)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, f"{key}.{name}" if key else str(name))


def strays(files: Iterable[Path], root: Path, options: Any) -> str | None:
    """What is wrong with files that are none of the dataset's, as a clause; ``None`` where all are."""
    places: list[str | Path] = [root, os.path.realpath(root), *named_absolutely(options)]
    found = [file for file in dict.fromkeys(files) if not is_inside(file, places)]
    if not found:
        return None
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"names files outside of its folder: {found[0]}{more}"
