"""The leaderboard as text: aligned tables, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from harness.analysis.leaderboard import JSON_FIELDS, Board, Row
from harness.analysis.numbers import NOTHING, estimate, number
from harness.analysis.tables import WIDTH, aligned, latex_table, markdown_table
from harness.outcome import COSTS

_LONGEST_NAME = 36


def _heading(row: Row) -> str:
    direction = "higher" if row.higher_is_better else "lower"
    told = [row.setting.budget if row.setting.budget not in row.differs else "", row.differs]
    further = "".join(f" · {text}" for text in told if text)
    return f"{row.benchmark} v{row.version} · {row.family} · {row.tier} · {row.metric} [{row.unit or '1'}], {direction} is better{further}"


def _shown(methods: dict[str, list[Row]]) -> list[str]:
    """The metrics that get a column, the primary one first; scenes and classes are left to the other formats."""
    names = dict.fromkeys(row.metric for rows in methods.values() for row in rows if "/" not in row.metric)
    return list(names)


def _cell(rows: Sequence[Row], metric: str) -> Row | None:
    return next((row for row in rows if row.metric == metric), None)


def _floor_line(methods: dict[str, list[Row]], metrics: list[str], columns: int) -> list[str] | None:
    rows = [row for shown in methods.values() for row in shown if row.floor is not None]
    if not rows:
        return None
    values = [number(row.floor, row.unit) if (row := _cell(rows, metric)) else NOTHING for metric in metrics]
    return ["", "floor", *values, *[""] * (columns - len(values) - 2)]


def _lines(methods: dict[str, list[Row]], metrics: list[str], longest: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Header and body of one benchmark; the floor stands where it ranks."""
    maps = any(row.map for rows in methods.values() for row in rows)
    costs = [name for name, quantity in COSTS.items() if longest is None or not quantity.wide]
    header = ["", "method", *metrics, "n", *(COSTS[name].heading for name in costs), *(["map"] if maps else [])]
    body: list[list[str]] = []
    floor = _floor_line(methods, metrics, len(header))
    for rank, (method, rows) in enumerate(methods.items(), 1):
        first = rows[0]
        if floor and first.below_floor:
            body.append(floor)
            floor = None
        cells = []
        for index, metric in enumerate(metrics):
            row = _cell(rows, metric)
            text = NOTHING if row is None else estimate(row.mean, row.ci95 if index == 0 else None, row.unit)
            marks = "" if row is None else " !" * row.below_floor + " †" * bool(row.collapsed and index == 0)
            cells.append(text + marks)
        map_of = [first.map or NOTHING] if maps else []
        body.append([str(rank), _short(method, longest), *cells, str(first.n), *first.cost.texts(costs), *map_of])
    if floor:
        body.append(floor)
    return header, body


def _short(name: str, longest: int | None) -> str:
    return name if longest is None or len(name) <= longest else name[: longest - 1] + "…"


def table(board: Board, width: int | None = WIDTH) -> str:
    """One block per benchmark, best method first.

    Args:
        width: columns that a line may take: further metrics make room, then long names are cut. ``None``: nothing is
            left out, and a row is a line.
    """
    blocks = []
    flagged, collapsed = False, False
    for methods in board.blocks().values():
        metrics = _shown(methods)
        longest = None if width is None else _LONGEST_NAME
        lines = aligned(*_lines(methods, metrics, longest), fold=width is not None)
        while width and len(metrics) > 1 and max(map(len, lines)) > width:
            metrics.pop()
            lines = aligned(*_lines(methods, metrics, longest))
        first = next(iter(methods.values()))[0]
        flagged |= any(row.below_floor for rows in methods.values() for row in rows if row.metric in metrics)
        collapsed |= any(row.collapsed for rows in methods.values() for row in rows)
        blocks.append("\n".join([_heading(first), *lines]))
    if flagged:
        blocks.append("! worse than the floor, the trivial predictor computed from the training data.")
    if collapsed:
        blocks.append("† attention collapsed to next to one position in at least one seed: `harness status DIGEST` says where.")
    blocks += [f"note: {note}" for note in board.notes]
    return "\n\n".join(blocks)


def csv_text(board: Board) -> str:
    """One line per row: the JSON's fields, ``map`` and ``differs``; the interval has two columns, digests are joined by spaces."""
    fields = [name for field in JSON_FIELDS for name in (("ci95_low", "ci95_high") if field == "ci95" else (field,))]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([fields[0], "version", *fields[1:], "map", "differs"])
    for row in board.rows:
        low, high = row.ci95 or (None, None)
        special = {"ci95_low": low, "ci95_high": high, "digests": " ".join(row.digests)}
        values = [(row.plain() | special)[name] for name in fields]
        writer.writerow([values[0], row.version, *values[1:], row.map, row.differs])
    return out.getvalue().rstrip("\n")


def markdown(board: Board) -> str:
    """A table per benchmark."""
    blocks = []
    for methods in board.blocks().values():
        first = next(iter(methods.values()))[0]
        header, body = _lines(methods, _shown(methods))
        blocks.append(f"### {_heading(first)}\n\n{markdown_table(header, body)}")
    blocks += [f"> {note}" for note in board.notes]
    return "\n\n".join(blocks)


def latex(board: Board) -> str:
    """A ``booktabs`` table per benchmark."""
    blocks = []
    for methods in board.blocks().values():
        first = next(iter(methods.values()))[0]
        header, body = _lines(methods, _shown(methods))
        blocks.append(latex_table(_heading(first), header[1:], [line[1:] for line in body]))
    return "\n\n".join(blocks)
