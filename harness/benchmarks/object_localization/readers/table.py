"""Text tables of image files."""

from __future__ import annotations

from harness.benchmarks.object_localization.readers.picture import Pictures


def rows(name: str, separator: str | None, columns: int, listing: Pictures) -> list[list[str]]:
    """Rows of a table. A file name may hold the separator: it comes first between commas and last between spaces."""
    text = listing.text(name, "put the official file there")
    if text is None:
        return []
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = line.strip().rsplit(separator, columns - 1) if separator else line.strip().split(None, columns - 1)
        if len(row) != columns:
            listing.add(name, f"line {number} has {len(row)} columns, not {columns}", "restore the official file")
        else:
            found.append(row)
    if not text.strip():
        listing.add(name, "the file is empty", "put the official file there")
    return found


def once(found: list[list[str]], where: str, listing: Pictures) -> list[list[str]]:
    """The rows of a table that has one per image; two that say different things of one image are a problem."""
    said: dict[str, list[list[str]]] = {}
    for name, *values in found:
        said.setdefault(name, []).append(values)
    for name, several in said.items():
        if any(values != several[0] for values in several):
            every = " and ".join(",".join(values) for values in several)
            listing.add(where, f"'{name}' stands there {len(several)} times, as {every}", "delete the wrong lines")
    return [[name, *several[0]] for name, several in said.items()]


def label(text: str, classes: int, first: int, where: str, listing: Pictures) -> int | None:
    """A label counted from 0, of a class that the table counts from ``first``; ``None`` (and a problem) if there is no such class."""
    try:
        found = int(text) - first
    except ValueError:
        found = -1
    if 0 <= found < classes:
        return found
    listing.add(where, f"the class '{text}' is not one of {first} to {classes - 1 + first}", "correct it, or data.classes")
    return None
