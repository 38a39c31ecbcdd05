"""Lists of file names, as people write them: a name a line, with a byte-order mark, blank lines, comments or further columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from harness.benchmarks.base import Listing
from harness.benchmarks.spelled import form
from harness.images import OTHER_SUFFIXES, SUFFIXES

_COLUMN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|true|false|yes|no", re.IGNORECASE)
"""A number or a flag: what follows a name in a list, and hardly ends one."""


def lines_in(root: Path, name: str, listing: Listing[Any], exists: Callable[[str], bool] | None = None) -> list[str]:
    """The lines that are neither blank nor a comment; an unreadable file is a problem of ``listing``.

    Args:
        exists: whether a file of this name is there: a comment that begins with such a name is told.
    """
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
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    meant = [line for line in lines if line.startswith("#") and exists and any(_is_there(one, exists) for one in (line, columns(line)[0]))]
    if meant:
        what = f"lines that begin with # are comments, and {len(meant)} of them name what is there, e.g. '{meant[0]}'; they are not used"
        listing.add(name, what, "rename these files, or write ./ before their names", fatal=False)
    return [line for line in lines if not line.startswith("#")]


def _is_there(name: str, exists: Callable[[str], bool]) -> bool:
    try:
        return exists(name)
    except OSError:  # a comment may be longer than any name
        return False


def parted(line: str, mend: str) -> str:
    """``mend``, after how columns are parted where a line of a list that means nothing has commas or semicolons."""
    other = next((f"{name}s" for mark, name in ((",", "comma"), (";", "semicolon")) if mark in line), None)
    return f"part the columns by blanks or tabs, not by {other}; or {mend}" if other else mend


def columns(line: str) -> list[str]:
    """The columns of a line: parted by tabs where there are any, by blanks otherwise."""
    return [part.strip() for part in line.split("\t")] if "\t" in line else line.split()


def rows_in(root: Path, name: str, listing: Listing[Any], exists: Callable[[str], bool] | None = None) -> list[list[str]]:
    """The columns of each of :func:`lines_in`."""
    return [columns(line) for line in lines_in(root, name, listing, exists)]


def _has_columns(line: str) -> bool:
    """Whether what follows the first word of a line are columns for certain and no part of the name."""
    first, *rest = columns(line)
    return "\t" in line or PurePosixPath(first).suffix.lower() in SUFFIXES or all(_COLUMN.fullmatch(part) for part in rest)


def named(lines: Sequence[str], exists: Callable[[str], bool]) -> list[str]:
    """What each line of a list names: all of it, since a name may hold blanks, or its first column.

    What follows counts as columns where it is sure to be some, or where every line has as many. ``photo (2)`` whose file is lost is
    never ``photo``.

    Args:
        exists: whether a file of this name is there.
    """
    whole = {line for line in dict.fromkeys(lines) if exists(line)}
    blanks = any(len(columns(line)) > 1 for line in whole)
    copies = any(part.startswith("(") for line in lines for part in columns(line)[1:])
    table = len(lines) > 1 and not copies and len({len(columns(line)) for line in lines}) == 1

    def parts(line: str) -> bool:
        return line not in whole and ("\t" in line or (not blanks and (table or _has_columns(line))))

    return [columns(line)[0] if parts(line) else line for line in lines]


def names_in(root: Path, name: str, listing: Listing[Any], exists: Callable[[str], bool]) -> list[str]:
    """What a list names, see :func:`named`, each name once; one that stands there twice is told."""
    names = named(lines_in(root, name, listing, exists), exists)
    for twice, count in Counter(names).items():
        if count > 1:
            listing.add(name, f"'{twice}' is listed {count} times", "it counts once", fatal=False)
    return list(dict.fromkeys(names))


def tails(name: str) -> list[str]:
    """A path and what is left of it as folders are taken off its front; slashes lean either way, and dots are no part of it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return ["/".join(parts[start:]) for start in range(len(parts))]


class Index:
    """Finds known files by what a list calls them: by path, with more folders before it or fewer, with or without suffix, and in
    either Unicode form.

    Args:
        known: paths with forward slashes.
    """

    def __init__(self, known: Iterable[str]):
        self._whole: dict[str, list[str]] = {}
        self._ends: dict[str, list[str]] = {}
        for path in dict.fromkeys(known):
            for name in dict.fromkeys((path, str(PurePosixPath(path).with_suffix("")))):
                first, *shorter = tails(form(name))
                self._whole.setdefault(first, []).append(path)
                for end in shorter:
                    self._ends.setdefault(end, []).append(path)

    def find(self, line: str) -> list[str]:
        """The known paths that a line of a list may mean: all of it, since a name may hold blanks, or its first column where what
        follows is sure to be no part of the name; :func:`named` knows more, of all lines together.

        Where a list has fewer folders than there are, several may be meant; of none there is none.
        """
        return self.exact(line) or (self.exact(columns(line)[0]) if _has_columns(line) else [])

    def exact(self, name: str) -> list[str]:
        """The same of a name without columns."""
        mine = tails(form(name))
        found = next((found for found in (*map(self._whole.get, mine), *map(self._ends.get, mine[:1])) if found), [])
        return [path for path in found if _is_spelled(path, name)] or found if len(found) > 1 else found


def _is_spelled(path: str, name: str) -> bool:
    """Whether a file of this path is called so in the very letters of a list, and not only as it looks."""
    last = PurePosixPath(path)
    return (tails(name) or [""])[-1] in (last.name, last.stem)


def bare(name: str) -> str:
    """A name without the suffix of an image or of an XML file; what else follows a dot belongs to the name."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in (".xml", *SUFFIXES, *OTHER_SUFFIXES) else name
