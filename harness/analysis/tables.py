"""Tables of text: aligned columns, CSV, Markdown and LaTeX."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from harness.analysis.numbers import NOTHING

WIDTH = 100
"""Columns of a table where no terminal says how many."""
LEFT = ("method", "part", "map", "layer", "tied", "bars", "state")
"""Columns of text; all others hold numbers and are aligned to the right."""


def filled(text: str, width: int | None) -> str:
    """A text's lines, in at most ``width`` columns where there is one; names with hyphens stay whole."""
    return text if width is None else "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in text.split("\n"))


def _folded(name: str, longest: int = 12) -> tuple[str, str]:
    """A long heading over two lines, parted at the underscore nearest to its middle."""
    places = [index + 1 for index, letter in enumerate(name) if letter == "_"]
    if len(name) <= longest or not places:
        return "", name
    place = min(places, key=lambda index: abs(index - len(name) / 2))
    return name[:place], name[place:]


def stacked(name: str, longest: int, at: str = "_") -> list[str]:
    """A heading over as many lines as it takes, parted behind letters of ``at``."""
    lines = [""]
    for part in re.findall(f"[^{at}]*[{at}]+|[^{at}]+$", name):
        lines = [*lines[:-1], lines[-1] + part] if len(lines[-1] + part) <= longest else [*lines, part]
    return [line for line in lines if line] or [name]


def _heads(header: Sequence[str], fold: bool) -> list[Sequence[str]]:
    if not fold:
        return [header]
    names = [name.split("\n") if "\n" in name else _folded(name) for name in header]
    most = max(map(len, names))
    return [line for line in zip(*(("",) * (most - len(name)) + (*name,) for name in names), strict=True) if any(line)]


def column_widths(header: Sequence[str], body: Sequence[Sequence[str]], *, fold: bool = True) -> list[int]:
    """Letters of each column of :func:`aligned`; between two columns there are two blanks."""
    heads = _heads(header, fold)
    return [max(len(line[column]) for line in [*heads, *body]) for column in range(len(header))]


def aligned(header: Sequence[str], body: Sequence[Sequence[str]], *, fold: bool = True) -> list[str]:
    """The lines of a table; long headings take two, or as many as they have, where ``fold`` allows it."""
    heads, widths = _heads(header, fold), column_widths(header, body, fold=fold)

    def join(line: Sequence[str]) -> str:
        cells = (cell.ljust(width) if name in LEFT else cell.rjust(width) for name, cell, width in zip(header, line, widths, strict=True))
        return "  ".join(cells).rstrip()

    return [join(line) for line in [*heads, *body]]


def parted(header: Sequence[str], body: Sequence[Sequence[str]], kept: int, width: int | None) -> list[str]:
    """Lines of a table in at most ``width`` columns: what does not fit goes below, beside the first ``kept`` columns again.

    A line with nothing to say is left out. ``None``: all columns side by side.
    """
    lines: list[str] = []
    rest = list(range(kept, len(header)))
    while rest:
        count = len(rest)
        while True:
            columns = [*range(kept), *rest[:count]]
            part = aligned(
                [header[i] for i in columns],
                [[line[i] for i in columns] for line in body if any(line[i] != NOTHING for i in rest[:count])],
                fold=width is not None,
            )
            if width is None or count == 1 or max(map(len, part)) <= width:
                break
            count -= 1
        lines += ["", *part] if lines else part
        rest = rest[count:]
    return lines


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


class Markdown(str):
    """A cell that is Markdown already."""


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is, in one line: no HTML, which it would pass on, no links and no pictures to be fetched."""
    return html.escape(" ".join(text.split()).replace("\\", "\\\\"), quote=False).replace("](", "]\\(")


def markdown_link(text: str, file: str) -> Markdown:
    """A link to a file that lies beside the page."""
    return Markdown(f"[{_markdown_cell(text)}]({quote(file)})")


def _markdown_cell(text: str) -> str:
    return text if isinstance(text, Markdown) else markdown_text(text).replace("|", "\\|")


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table in GitHub's Markdown."""
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(map(_markdown_cell, line))} |" for line in lines)


_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi o pi rho varsigma sigma tau upsilon phi chi psi omega"
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"$\mathdollar$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}", "<": r"$<$", ">": r"$>$", '"': "''", "`": r"\`{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # which would be options of the line break before them
    "±": r"$\pm$", "°": r"$^\circ$", "·": r"$\cdot$", "×": r"$\times$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\to$",
    "–": "--", "—": "---", "…": r"\ldots{}", "†": r"$\dagger$", "‡": r"$\ddagger$",
    "│": r"\textbar{}", "‖": r"$\|$", "µ": r"$\mu$", "√": r"$\surd$",
    "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ı": r"\i{}",
} | {chr(ord("α") + place): rf"$\{name}$" for place, name in enumerate(_GREEK.split()) if name != "o"}  # fmt: skip
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328", r"`'^~=u." + '"rHvck', strict=True))
"""Combining mark -> its command."""


def _latex_letter(letter: str) -> str:
    if letter in _LATEX:
        return _LATEX[letter]
    if letter.isascii():
        return letter if letter.isprintable() else " "
    base, marks = (parts := unicodedata.normalize("NFD", letter))[:1], parts[1:]
    if base.isascii() and base.isalpha() and marks in _ACCENTS:
        return rf"\{_ACCENTS[marks]}{{{base}}}"
    return " " if letter.isspace() else rf"\texttt{{U+{ord(letter):04X}}}"


def latex_text(text: str) -> str:
    """A text for any LaTeX engine and font: what is not ASCII as commands, and letters without any by their code points."""
    letters = f" {unicodedata.normalize('NFC', text)}"
    # two hyphens would become a dash
    return "".join(("{}" if before == letter == "-" else "") + _latex_letter(letter) for before, letter in pairwise(letters))


def _latex_heading(name: str, longest: int = 12) -> str:
    """A heading over as many lines as it takes, parted at underscores."""
    text = r"\\".join(map(latex_text, stacked(name, longest)))
    return rf"\shortstack[r]{{{text}}}" if r"\\" in text else text


def latex_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A ``booktabs`` table; long headings take several lines."""
    columns = "".join("l" if name in LEFT else "r" for name in header)
    lines = [" & ".join(line) + r" \\" for line in [map(_latex_heading, header), *(map(latex_text, cells) for cells in body)]]
    top, bottom = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule"], [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*top, *lines[1:], *bottom])


def commented(heading: str, table: str) -> str:
    """A LaTeX table below its heading as a comment."""
    return f"% {' '.join(heading.split())}\n{table}"
