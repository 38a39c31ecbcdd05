"""Tables of text: aligned columns, CSV, Markdown and LaTeX."""

from __future__ import annotations

import contextlib
import csv
import html
import io
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 100
"""Columns of a table in a terminal; elsewhere a row is a line, however long."""
LEFT = ("method", "map", "layer", "tied", "bars")
"""Columns of text; all others hold numbers and are aligned to the right."""


def _folded(name: str, longest: int = 12) -> tuple[str, str]:
    """A long heading over two lines, parted at the underscore nearest to its middle."""
    places = [index + 1 for index, letter in enumerate(name) if letter == "_"]
    if len(name) <= longest or not places:
        return "", name
    place = min(places, key=lambda index: abs(index - len(name) / 2))
    return name[:place], name[place:]


def aligned(header: Sequence[str], body: Sequence[Sequence[str]], *, fold: bool = True) -> list[str]:
    """The lines of a table; long headings take two where ``fold`` allows it."""
    heads = [line for line in zip(*(_folded(name) for name in header), strict=True) if any(line)] if fold else [header]
    widths = [max(len(line[column]) for line in [*heads, *body]) for column in range(len(header))]

    def join(line: Sequence[str]) -> str:
        cells = (cell.ljust(width) if name in LEFT else cell.rjust(width) for name, cell, width in zip(header, line, widths, strict=True))
        return "  ".join(cells).rstrip()

    return [join(line) for line in [*heads, *body]]


def _csv_cell(cell: Any) -> Any:
    """A spreadsheet takes text that begins like this for a formula, and runs it; behind an apostrophe it does not."""
    if not isinstance(cell, str) or len(cell) < 2 or cell[0] not in "=+-@\t\r":
        return cell
    with contextlib.suppress(ValueError):
        float(cell)
        return cell
    return f"'{cell}"


def csv_table(header: Sequence[str], body: Iterable[Sequence[Any]]) -> str:
    """A table in CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([[_csv_cell(cell) for cell in row] for row in [header, *body]])
    return out.getvalue().rstrip("\n")


def _markdown_cell(text: str) -> str:
    return html.escape(text.replace("\\", "\\\\").replace("|", "\\|"), quote=False)  # Markdown would pass HTML on


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table in GitHub's Markdown."""
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(map(_markdown_cell, line))} |" for line in lines)


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "°": r"$^\circ$", "·": r"$\cdot$", "–": "--",
    "τ": r"$\tau$", "†": r"$\dagger$", "│": r"\textbar{}", ">": r"$>$",
}  # fmt: skip


def _latex_cell(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def latex_table(heading: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A ``booktabs`` table with a comment above it."""
    columns = "".join("l" if name in LEFT else "r" for name in header)
    lines = [" & ".join(_latex_cell(cell) for cell in line) + r" \\" for line in [header, *body]]
    top, bottom = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule"], [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([f"% {heading}", *top, *lines[1:], *bottom])
