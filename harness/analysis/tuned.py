"""What equal tuning chose for each method of a board, and what it was worth on the validation images."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from harness.analysis.leaderboard import Board, Row
from harness.analysis.numbers import NOTHING, number
from harness.analysis.tables import markdown_table, markdown_text

AS_REGISTERED = "as registered"


def sections(board: Board, searches: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A Markdown table for each tuned block of a board, in the board's order.

    Args:
        searches: digest of a trial -> what was tried to find its options, see :meth:`harness.compose.tuning.Search.report`.
    """
    found = []
    for methods in board.blocks().values():
        rows = [row for some in methods.values() for row in some if row.primary and row.digests[0] in searches]
        if rows:
            reports = [searches[row.digests[0]] for row in rows]
            header = ["method", "chosen", f"{reports[0]['metric']} [{rows[0].unit or '1'}]", AS_REGISTERED]
            body = [_line(row, report) for row, report in zip(rows, reports, strict=True)]
            heading = markdown_text(f"{rows[0].benchmark} v{rows[0].version} · {rows[0].setting.budget}: chosen on validation images")
            found.append(f"#### {heading}\n\n{markdown_table(header, body)}")
    return found


def _line(row: Row, report: Mapping[str, Any]) -> list[str]:
    """A method, the point that won and its mean over the tuning seeds, and that of the registered point, which is the first."""
    values = report["points"][report["winner"]]["values"]
    chosen = " ".join(f"{key}={value}" for key, value in values.items())
    best, first = (_mean(report["points"][index]["validation"], row.unit) for index in (report["winner"], 0))
    return [row.method, chosen or AS_REGISTERED, best, first]


def _mean(values: list[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    return number(fmean(known), unit) if len(known) == len(values) else NOTHING
