"""Lists of images whose columns are others than an image and its class: a header, the image behind other columns, no class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from harness.benchmarks.base import Split
from harness.benchmarks.classification.readers.labelled import Labels

_LOOKED_AT = 200
"""Lines of a list that are looked at."""

Rows = list[list[str]]


def tell_layout(
    rows: Mapping[Split, Rows], files: Mapping[Split, str], exists: Callable[[str], bool], column: int, listing: Labels
) -> bool:
    """Note lists of another layout, with the line that is meant; whether there is one, of which no line need be told.

    Args:
        files: the name of each list.
        exists: whether there is an image of this path.
        column: of the class, counted from 1.
    """
    told = len(listing.problems)
    for split, name in files.items():
        first, rest = rows[split][:1], rows[split][1:_LOOKED_AT]
        if not rest or all(exists(row[0]) for row in rest):
            _tell_header(name, first, rest, exists, column, listing)
        elif not any(exists(row[0]) for row in rest) and (place := _image_in(rest, exists)) is not None:
            mine = rest[0]
            what = f"the image stands in column {place + 1}, e.g. '{' '.join(mine):.80}'"
            if not exists(first[0][min(place, len(first[0]) - 1)]):
                what += f", below a header, '{' '.join(first[0]):.80}'"
            mend = f"write the image first and its class behind it, a line each, without a header: '{mine[place]} CLASS'"
            listing.add(name, what, mend)
    return len(listing.problems) > told


def _tell_header(name: str, first: Rows, rest: Rows, exists: Callable[[str], bool], column: int, listing: Labels) -> None:
    if rest and not exists(first[0][0]) and len(first[0]) >= column:
        text = first[0][column - 1]
        if not text.isdecimal() and text not in listing.classes and not PurePosixPath(first[0][0]).suffix and "/" not in first[0][0]:
            listing.add(name, f"its first line is a header, '{' '.join(first[0]):.80}'", "take that line out, or write # before it")
    elif rest and all(len(row) == 1 for row in [*first, *rest]):
        path = first[0][0]
        what, mend = "its lines are images without a class", "write the class behind each image"
        if folder := PurePosixPath(path).parent.name:
            mend += f"; if the folder is the class: '{path} {folder}'"
        listing.add(name, what, mend)


def _image_in(rows: Rows, exists: Callable[[str], bool]) -> int | None:
    """The column, counted from 0, in which all rows name images, where it is not the first."""
    width = min(map(len, rows))
    return next((place for place in range(1, width) if all(exists(row[place]) for row in rows)), None)
