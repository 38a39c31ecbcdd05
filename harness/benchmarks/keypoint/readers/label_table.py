"""One label file of DeepLabCut or Lightning Pose: a CSV table with a few header rows, in the dialects that spreadsheets make of it."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

_ROWS = ("scorer", "bodyparts", "coords")
_DEEPEST = 8
"""Lines within which the header ends, and columns within which it starts."""
_COORDS = ("x", "y", "likelihood")
_NAMED = re.compile(r"CollectedData_(.+)")

_EMPTY = ("", "nan", "na", "none", "null")
_MARKED = re.compile(r"[1-9]\d?([.,])\d{3}")
"""A pixel from 1000 on with a mark behind the thousands, or one below 100 with three decimals."""

Points = dict[str, tuple[float, float, float]]
"""Body part -> x, y and likelihood; NaN for an empty cell, likelihood 1 where the table has none."""


@dataclass
class Row:
    """One line of a table."""

    line: int
    path: str
    """Of the image, as it stands there."""
    points: dict[str, Points]
    """Individual -> its points; a single one is called ``""``."""


@dataclass
class Table:
    """A label file."""

    scorer: str
    """Who labelled: from the file's name, or else from its header."""
    parts: dict[str, list[str]]
    """Individual -> its body parts, in the order of the columns."""
    has_likelihood: bool
    rows: list[Row] = field(default_factory=list)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)
    """Line, what is wrong with it, and how to mend it."""
    by_frame: bool = False
    """Whether rows name images by their number in a video."""
    header: str = ""
    """Who labelled, as its header says."""


_Places = dict[str, dict[str, dict[str, int]]]
"""Individual -> body part -> coordinate -> the column."""


def read_table(file: Path, lines: list[list[str]], decimal_comma: bool, scorer: str | None) -> Table:
    """The table of the :func:`cells` of a label file; of several scorers' columns only those of ``scorer``.

    Raises:
        ValueError: the reason and the mend, as sentences for people.
    """
    head, at, start = _header(lines)
    width = len(head["coords"])
    first = next((i for i in range(at + 1, width) if head["bodyparts"][i]), width)
    # a column that somebody has added, of comments say, is under no scorer and is no coordinate
    shown = [i for i in range(first, width) if head["coords"][i].lower() in _COORDS or "".join(head.get("scorer", [])[i : i + 1])]
    people = list(dict.fromkeys(head["scorer"][i] for i in shown)) if "scorer" in head else [""]
    if len(people) > 1 and scorer not in people:
        raise ValueError(f"its columns are of several scorers: {', '.join(people)}. Write data.scorer: {' or '.join(people)}.")
    places = _places(head, [i for i in shown if len(people) == 1 or head["scorer"][i] == scorer])
    named = _NAMED.fullmatch(file.stem)
    whose = scorer if len(people) > 1 else named[1] if named else people[0]
    likelihood = any("likelihood" in coords for parts in places.values() for coords in parts.values())
    table = Table(whose or "", {individual: list(parts) for individual, parts in places.items()}, likelihood, header=people[0])
    if decimal_comma and (cell := _thousands([line[i] for line in lines[start:] for i in _positions(places) if i < len(line)])):
        few = "".join(mark for mark in cell if mark.isdecimal())
        raise ValueError(f"'{cell}' is {few} with a mark between thousands, it seems. Save the table without such marks: '{few}'.")
    for at_line, line in enumerate(lines[start:], start + 1):
        _read_row(table, at_line, line, (at, first, width), places, decimal_comma)
    return table


def cells(file: Path) -> tuple[list[list[str]], bool]:
    """The cells of each line, and whether a decimal comma may stand in them.

    Raises:
        ValueError: as of :func:`read_table`.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror}). Mend its permissions.") from None
    if b"\0" in raw:
        raise ValueError("not a readable UTF-8 CSV file (it holds NUL bytes). Save it as CSV in UTF-8.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    head = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f"not a readable CSV file ({error}). Export it again.") from None
    # what pandas writes into the empty cells of a header that it has read
    lines = [["" if cell.startswith("Unnamed:") else cell.strip() for cell in line] for line in lines]
    return lines, delimiter != ","


def _header(lines: list[list[str]]) -> tuple[dict[str, list[str]], int, int]:
    """Name of a header row -> its cells; the column in which the names stand; how many lines come before the first image."""
    for column in range(_DEEPEST):
        names = [line[column].lower() if len(line) > column else "" for line in lines[:_DEEPEST]]
        if "coords" in names and "bodyparts" in names[: names.index("coords")]:
            count = names.index("coords") + 1
            width = max(i for i, cell in enumerate(lines[count - 1]) if cell) + 1
            return {name: (line + [""] * width)[:width] for name, line in zip(names[:count], lines, strict=False)}, column, count
    found = ", ".join(line[0] if line else "" for line in lines[:3]) or "nothing"
    raise ValueError(f"the first three rows start with {found:.80}, not with {', '.join(_ROWS)}. Export it again.")


def _places(head: dict[str, list[str]], columns: list[int]) -> _Places:
    places: _Places = {}
    for i in columns:
        individual = head["individuals"][i] if "individuals" in head else ""
        part, coord = head["bodyparts"][i], head["coords"][i].lower()
        coords = places.setdefault(individual, {}).setdefault(part, {})
        if coord == "x" and "x" in coords:
            raise ValueError(f"bodypart '{part}' stands there twice. Rename or delete one of its column pairs.")
        coords[coord] = i
    for parts in places.values():
        if any(list(coords) not in (["x", "y"], ["x", "y", "likelihood"]) for coords in parts.values()):
            raise ValueError("bodyparts and coords do not pair up as x, y of one point after the other. Export it again.")
    return places


def _positions(places: _Places) -> list[int]:
    """The columns of x and y."""
    return [i for parts in places.values() for coords in parts.values() for name, i in coords.items() if name in ("x", "y")]


def _thousands(cells: list[str]) -> str | None:
    """The first of the cells with a mark, where these marks stand between thousands and not before decimals.

    So it is where all else are whole pixels below 1000, in a tenth of the cells at least: what is written with three decimals has
    three in all cells but those that mean nothing.
    """
    marked = [cell for cell in cells if "," in cell or "." in cell]
    whole = [cell for cell in cells if cell.isdecimal() and cell.strip("0")]
    others = [cell for cell in cells if cell.lower() not in (*_EMPTY, "-1") and cell.strip("0")]
    found = {said[1] if (said := _MARKED.fullmatch(cell)) else "" for cell in marked}
    if len(found) != 1 or "" in found or len(marked) + len(whole) != len(others) or 10 * len(whole) < len(others):
        return None
    return marked[0] if all(len(cell) < 4 for cell in whole) else None


def _read_row(table: Table, at_line: int, line: list[str], shape: tuple[int, int, int], places: _Places, decimal_comma: bool) -> None:
    at, first, width = shape
    if not any(line):
        return
    line = line[:width] if not any(line[width:]) else line
    if len(line) != width:
        table.wrong.append((at_line, f"{len(line)} cells, {width} expected", "complete or delete the row"))
        return
    path = [cell for cell in line[at:first] if cell]
    if len(path) > 1 and path[0].isdigit():
        path = path[1:]  # a running number
    try:
        points = {
            individual: {part: _point([line[i] for i in coords.values()], decimal_comma) for part, coords in parts.items()}
            for individual, parts in places.items()
        }
    except ValueError as error:
        mend = "correct it; leave the cell empty where the point is not visible"
        table.wrong.append((at_line, f"{error} is no number", mend))
        return
    table.rows.append(Row(at_line, "/".join(path), points))


def _point(cells: list[str], decimal_comma: bool) -> tuple[float, float, float]:
    x, y, *likelihood = (number(cell, decimal_comma) for cell in cells)
    return x, y, likelihood[0] if likelihood else 1.0


def number(cell: str, decimal_comma: bool) -> float:
    """A cell's value, NaN for an empty one.

    Raises:
        ValueError: it is no number; the message is the cell in quotes.
    """
    if cell.lower() in _EMPTY:
        return math.nan
    try:
        return float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        raise ValueError(f"'{cell:.40}'") from None
