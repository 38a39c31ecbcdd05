"""Metrics of single classes, scenes and joints: a table of them and of the methods for each such metric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from harness.analysis.numbers import NOTHING, number
from harness.analysis.tables import WIDTH, aligned, column_widths, commented, filled, latex_table, markdown_table, markdown_text, stacked

if TYPE_CHECKING:
    from harness.analysis.board import Board, Row

_BEST = "*"
_LEGEND = f"{_BEST} best of all methods there by the mean over seeds."
_LONGEST = 10
"""Letters of a heading's line, where it can be parted."""


@dataclass(frozen=True)
class Parts:
    """What one block's methods measured of each part of one metric."""

    heading: str
    header: list[str]
    """``part``, the methods as the leaderboard sorts them, and ``floor`` where there is one."""
    body: list[list[str]]

    def turned(self) -> Parts:
        """Methods, and the floor, as lines."""
        lines = [[*column] for column in zip(self.header, *self.body, strict=True)]
        return Parts(self.heading, ["method", *lines[0][1:]], lines[1:])


def parts(board: Board) -> Iterator[Parts]:
    """The tables of a board that was read with all metrics; means over seeds, the best of a line marked."""
    for methods in board.blocks().values():
        found: dict[str, dict[str, dict[str, Row]]] = {}
        for method, rows in methods.items():
            for row in rows:
                stem, slash, part = row.metric.partition("/")
                if slash:
                    found.setdefault(stem, {}).setdefault(part, {})[method] = row
        for stem, lines in found.items():
            some = next(iter(next(iter(lines.values())).values()))
            measured = [method for method in methods if any(method in line for line in lines.values())]
            floors = any(row.floor is not None for line in lines.values() for row in line.values())
            direction = "higher" if some.higher_is_better else "lower"
            differs = f" · {some.differs}" if some.differs else ""
            heading = f"{some.benchmark} v{some.version} · {stem} [{some.unit or '1'}], {direction} is better{differs}"
            body = [[part, *_cells(line, measured), *[_floor(line)] * floors] for part, line in lines.items()]
            yield Parts(heading, ["part", *measured, *["floor"] * floors], body)


def _cells(line: dict[str, Row], methods: list[str]) -> list[str]:
    texts = {method: number(row.mean, row.unit) for method, row in line.items()}
    known = {method: row.mean for method, row in line.items() if math.isfinite(row.mean)}
    higher = next(iter(line.values())).higher_is_better
    best = texts[(max if higher else min)(known, key=known.__getitem__)] if len(known) > 1 else None
    return [texts[method] + _BEST * (texts[method] == best) if method in line else NOTHING for method in methods]


def _floor(line: dict[str, Row]) -> str:
    row = next((row for row in line.values() if row.floor is not None), None)
    return NOTHING if row is None else number(row.floor, row.unit)


def table(board: Board, width: int | None = WIDTH) -> str:
    """Aligned text; methods or parts are its lines, whichever has to be cut less often, or else is narrower.

    Args:
        width: columns that a line may take; what has no room follows below. ``None``: all stand side by side.
    """
    blocks = []
    for some in parts(board):
        strips = min(([*_cut(way, width)] for way in (some, some.turned())), key=lambda cut: (len(cut), max(map(len, chain(*cut)))))
        blocks.append("\n".join([filled(some.heading, width), "\n\n".join(map("\n".join, strips))]))
    return "\n\n".join([*blocks, *[_LEGEND] * bool(blocks)])


def _cut(some: Parts, width: int | None) -> Iterator[list[str]]:
    """Lines of tables that have the room."""
    header = ["\n".join(stacked(name, _LONGEST, "_ -")) for name in some.header]
    for places in _strips(header, some.body, width):
        yield aligned([header[p] for p in places], [[line[p] for p in places] for line in some.body])


def _strips(header: list[str], body: list[list[str]], width: int | None) -> Iterator[list[int]]:
    """Columns that stand side by side, the first one of all tables before them."""
    wide = column_widths(header, body)
    strip, used = [0], wide[0]
    for place in range(1, len(wide)):
        if width is not None and len(strip) > 1 and used + 2 + wide[place] > width:
            yield strip
            strip, used = [0], wide[0]
        strip.append(place)
        used += 2 + wide[place]
    yield strip


def _tall(board: Board) -> Iterator[Parts]:
    """With more lines than columns, for pages."""
    for some in parts(board):
        yield some if len(some.body) > len(some.header) - 2 else some.turned()


def markdown(board: Board) -> str:
    """A table each."""
    return "\n\n".join(f"### {markdown_text(some.heading)}\n\n{markdown_table(some.header, some.body)}" for some in _tall(board))


def latex(board: Board) -> str:
    """A ``booktabs`` table each, below a comment."""
    return "\n\n".join(commented(some.heading, latex_table(some.header, some.body)) for some in _tall(board))
