"""What equal tuning chose for each method of a board, on which grounds, and how far the choice can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Any

from harness.analysis.board import Board, Row
from harness.analysis.numbers import NOTHING, number
from harness.analysis.tables import markdown_table, markdown_text

AS_REGISTERED = "as registered"
_SHOWN = 2 * math.sqrt(2)
"""Standard deviations of one seed's value by which two of them differ in one of twenty cases if nothing else does."""


def sections(board: Board, searches: Mapping[str, Mapping[str, Any]], validations: Mapping[str, float]) -> list[str]:
    """A Markdown table for each tuned block of a board, in the board's order.

    Args:
        searches: digest of a trial -> what was tried to find its options, see :meth:`harness.compose.tuning.Search.report`.
        validations: digest of such a trial -> the metric that the search looked at, of the trial itself.
    """
    found = []
    for methods in board.blocks().values():
        rows = [row for some in methods.values() for row in some if row.primary and row.digests[0] in searches]
        if rows:
            reports = [searches[row.digests[0]] for row in rows]
            header = ["method", "chosen", f"{reports[0]['metric']} [{rows[0].unit or '1'}]", AS_REGISTERED]
            body = [_line(row, report) for row, report in zip(rows, reports, strict=True)]
            heading = markdown_text(f"{rows[0].benchmark} v{rows[0].version} · {rows[0].setting.budget}: chosen on validation images")
            said = [f"#### {heading}", markdown_table(header, body), _trust(rows, reports, validations)]
            found.append("\n\n".join(filter(None, said)))
    return found


def _line(row: Row, report: Mapping[str, Any]) -> list[str]:
    """A method, the point that won and its mean over the tuning seeds, and that of the registered point, which is the first."""
    values, means = report["points"][report["winner"]]["values"], _means(report)
    chosen = " ".join(f"{key}={value}" for key, value in values.items())
    best, first = (NOTHING if means[index] is None else number(means[index], row.unit) for index in (report["winner"], 0))
    return [row.method, chosen or AS_REGISTERED, best, first]


def _means(report: Mapping[str, Any]) -> list[float | None]:
    """Of each point over the tuning seeds; ``None`` where one of them has no value."""
    return [None if None in point["validation"] else fmean(point["validation"]) for point in report["points"]]


def _trust(rows: Sequence[Row], reports: Sequence[Mapping[str, Any]], validations: Mapping[str, float]) -> str:
    """How many choices are within what a seed does; empty where nobody knows."""
    seeds = [[validations[digest] for digest in row.digests if math.isfinite(validations.get(digest, math.nan))] for row in rows]
    spreads = [stdev(values) for values in seeds if len(values) > 1]
    if not spreads:
        return ""
    shown = _SHOWN * median(spreads) / math.sqrt(len(reports[0]["seeds"]))
    near = [row.method for row, report in zip(rows, reports, strict=True) if _margin(report) < shown]
    count = "one seed each shows" if len(reports[0]["seeds"]) == 1 else f"{len(reports[0]['seeds'])} seeds each show"
    return (
        f"> {count} differences from {number(shown, rows[0].unit)} {rows[0].unit} on (by the median spread of the final seeds' values); "
        f"the best point and the next differ by less for {len(near)} of {len(rows)} methods, whose choice another tuning seed may make "
        "otherwise."
    )


def _margin(report: Mapping[str, Any]) -> float:
    """How far the best point is from the next one."""
    means = sorted((mean for mean in _means(report) if mean is not None), reverse=report["higher_is_better"])
    return abs(means[0] - means[1]) if len(means) > 1 else math.inf
