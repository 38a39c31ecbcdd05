"""Overview page: methods side by side on every benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import charts, reads, state, tables, text
from harness.analysis import formats
from harness.analysis.leaderboard import Board, Row
from harness.analysis.numbers import NOTHING, rank


def _chosen(rows: Sequence[Row]) -> list[Row]:
    """The rows the filters let through."""
    chosen = [*rows]
    for place, (label, field) in zip(
        st.columns(4), {"Family": "family", "Tier": "tier", "Benchmark": "benchmark", "Method": "method"}.items(), strict=True
    ):
        options = list(dict.fromkeys(getattr(row, field) for row in rows))
        picked = state.choices(label, options, field, place=place)
        chosen = [row for row in chosen if not picked or getattr(row, field) in picked]
    return chosen


def _block(board: Board, rows: Sequence[Row], number: int) -> None:
    first, standing = rows[0], board.standing(rows[0])
    st.subheader(text.escaped(f"{first.benchmark} v{first.version}"))
    if first.differs:
        st.text(first.differs)
    if standing.judged:
        st.text(standing.sentence())
    records = [
        {
            "method": row.method,
            "mean": row.mean,
            "from": row.ci95[0] if row.ci95 else None,
            "to": row.ci95[1] if row.ci95 else None,
            "n": row.n,
            "rank": rank(standing.ranks.get(row.method)),
            "tied": standing.tied.get(row.method, NOTHING),
            "below floor": "below floor" if row.below_floor else "",
        }
        for row in rows
    ]
    tables.show(
        records,
        key=f"block {number}",
        numbers=dict.fromkeys(("mean", "from", "to"), first.unit),
        opens=lambda row, _: ("method", {"method": rows[row].method}),
    )
    if number == 0:
        lines = [charts.Line(row.method, row.values, row.mean, row.ci95) for row in rows]
        title = f"{first.metric} ({first.unit})"
        charts.show(charts.dots_and_intervals(lines, first.unit, title, floor=first.floor), key="chart", alt_text=f"{title} of each method")


def main() -> None:
    """Draw the page."""
    st.title("Overview")
    board = reads.board(all_versions=state.switch("Older benchmark versions", "versions"))
    for note in board.notes:
        st.text(f"Note: {note}")
    rows = _chosen(board.rows)
    for number, methods in enumerate(Board(rows).blocks().values()):
        _block(board, [row for some in methods.values() for row in some], number)
    tables.download("overview.csv", formats.csv_text(Board(rows)))


main()
