"""Lists of file names, as people write them: a name a line, with a byte-order mark, blank lines, comments or further columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from harness.benchmarks.base import Listing


def lines_in(root: Path, name: str, listing: Listing[Any]) -> list[str]:
    """The lines that are neither blank nor a comment; an unreadable file is a problem of ``listing``."""
    try:
        text = (root / name).read_text(encoding="utf-8-sig")
    except OSError as error:
        listing.add(name, f"cannot read the list {name}: {error.strerror}", "Write one image name per line.")
        return []
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 without a mark of its order
        listing.add(name, f"cannot read the list {name}: not UTF-8 text", "save it as UTF-8; some programs write UTF-16 unless told")
        return []
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def parted(line: str, mend: str) -> str:
    """``mend``, after how columns are parted where a line of a list that means nothing has commas or semicolons."""
    other = next((f"{name}s" for mark, name in ((",", "comma"), (";", "semicolon")) if mark in line), None)
    return f"part the columns by blanks or tabs, not by {other}; or {mend}" if other else mend


def columns(line: str) -> list[str]:
    """The columns of a line: parted by tabs where there are any, by blanks otherwise."""
    return [part.strip() for part in line.split("\t")] if "\t" in line else line.split()


def rows_in(root: Path, name: str, listing: Listing[Any]) -> list[list[str]]:
    """The columns of each of :func:`lines_in`."""
    return [columns(line) for line in lines_in(root, name, listing)]


def names_in(root: Path, name: str, listing: Listing[Any], exists: Callable[[str], bool]) -> list[str]:
    """The first column of a list, each name once; one that stands there twice is told.

    Args:
        exists: whether a file of this name is there: a line that is one, blanks and all, has one column.
    """
    names = [line if exists(line) else columns(line)[0] for line in lines_in(root, name, listing)]
    for twice, count in Counter(names).items():
        if count > 1:
            listing.add(name, f"'{twice}' is listed {count} times", "it counts once", fatal=False)
    return list(dict.fromkeys(names))


def tails(name: str) -> list[str]:
    """A path and what is left of it as folders are taken off its front; slashes lean either way, and dots are no part of it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return ["/".join(parts[start:]) for start in range(len(parts))]


class Index:
    """Finds known files by what a list calls them: by path, with more folders before it or fewer, with or without suffix.

    Args:
        known: paths with forward slashes.
    """

    def __init__(self, known: Iterable[str]):
        self._whole: dict[str, list[str]] = {}
        self._ends: dict[str, list[str]] = {}
        for path in dict.fromkeys(known):
            for name in dict.fromkeys((path, str(PurePosixPath(path).with_suffix("")))):
                first, *shorter = tails(name)
                self._whole.setdefault(first, []).append(path)
                for end in shorter:
                    self._ends.setdefault(end, []).append(path)

    def find(self, line: str) -> list[str]:
        """The known paths that a line of a list may mean: all of it, since a name may hold blanks, or its first column.

        Where a list has fewer folders than there are, several may be meant; of none there is none.
        """
        for name in dict.fromkeys((line, columns(line)[0])):
            mine = tails(name)
            for found in (*(self._whole.get(tail) for tail in mine), *(self._ends.get(tail) for tail in mine[:1])):
                if found:
                    return found
        return []
