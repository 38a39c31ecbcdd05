"""Print tables and JSON, and write them to files: in a terminal tables fit its width, elsewhere a row is a line."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click

from harness.files import finite
from harness.texts import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from harness.store import Other, TrialRow

SCHEMA = 1
"""Version of every JSON document the command line prints; raised when a field changes its meaning or goes."""

LEAST = 60
"""Columns of a table of results in a terminal that is narrower still: its lines wrap there."""

NARROWEST = 12
"""A folded column gets no narrower than this, however narrow the terminal."""


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is; ``None`` where it is none: a row is a line there, so that programs can search it."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table_width() -> int | None:
    """Columns of a table of results: the terminal's, within reason; ``None`` where stdout is none."""
    return None if (terminal := terminal_width()) is None else max(terminal, LEAST)


def say(text: str) -> None:
    """Print sentences, in lines of the terminal's width between words."""
    from harness.analysis.tables import filled

    click.echo(filled(text, terminal_width()))


def failure(row: TrialRow, *, terminal: bool) -> str:
    """What failed, why, and where its log is, if it has one: below in a terminal, on the same line elsewhere."""
    what = one_line(f"{row.method} on {row.benchmark}, seed {row.seed}: {row.kind}: {row.reason}")
    if row.log is None:
        return what
    log = one_line(str(row.log))
    return f"{what}\n  log: {log}" if terminal else f"{what} (log: {log})"


def json_text(document: dict[str, Any]) -> str:
    """One JSON document; its first key is the schema's version."""
    text = json.dumps({"schema": SCHEMA, **finite(document)}, indent=2, ensure_ascii=False)
    # JSON allows within strings what a terminal obeys
    return re.sub("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", lambda letter: f"\\u{ord(letter[0]):04x}", text)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document."""
    click.echo(json_text(document))


def write_file(file: Path, text: str) -> None:
    """Write a text to where a user wants it, whole; the folders above it are made.

    Raises:
        UsageError: it cannot be written.
    """
    from harness.errors import writing
    from harness.files import write_whole

    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text, durable=True)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = (), fold: Sequence[str] = ()) -> None:
    """Print a table; plain text, since importing and asking rich takes a third of the time of `harness list`.

    Args:
        right: columns that are aligned to the right (numbers).
        fold: columns that may take several lines in a terminal; the last one always may, and stands below its row where all others
            leave it no room.
    """
    cells = [["" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    natural = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    folded = [index for index, name in enumerate(columns) if name in fold or name == columns[-1]]
    terminal = terminal_width()
    widths, fits = _folded(natural, folded, terminal)
    below = terminal is not None and not fits and natural[-1] > NARROWEST
    if below:
        widths, _ = _folded(natural[:-1], folded[:-1], terminal)
    for number, row in enumerate([columns, *cells]):
        lines = _lines(row[: len(widths)], widths, right, columns)
        if below and terminal is not None:
            lines += textwrap.wrap(row[-1], terminal, initial_indent="    ", subsequent_indent="    ")
        for line in lines:
            click.echo(line if number else click.style(line, bold=True))


def _folded(natural: Sequence[int], folded: Sequence[int], terminal: int | None) -> tuple[list[int], bool]:
    """Widths of columns, of which some are made narrower until a row fits the terminal, and whether it does."""
    widths = [*natural]
    if terminal is None:
        return widths, True
    room = terminal - 2 * (len(widths) - 1)
    while sum(widths) > room and max((widths[index] for index in folded), default=0) > NARROWEST:
        widths[max(folded, key=widths.__getitem__)] -= 1
    return widths, sum(widths) <= room


def _lines(row: Sequence[str], widths: Sequence[int], right: Sequence[str], columns: Sequence[str]) -> list[str]:
    """A row's cells, folded to their columns' widths, as lines of text."""
    folded = [[cell] if len(cell) <= width else textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    padded = []
    for parts in zip_longest(*folded, fillvalue=""):
        aligned = (
            part.rjust(width) if name in right else part.ljust(width) for part, width, name in zip(parts, widths, columns, strict=False)
        )
        padded.append("  ".join(aligned).rstrip())
    return padded


def left_out(others: Sequence[Other], here: str = "here") -> str:
    """Which results of a file an import left out, in a sentence.

    Args:
        here: where those are that stay.
    """
    counted = Counter((other.device or "an unknown device", other.its_device or "an unknown device") for other in others)
    told = "; ".join(f"{count} by {device} {here}, by {its} in the file" for (device, its), count in sorted(counted.items()))
    return f"{len(others)} trials are {here} with other results, which stay ({told})."
