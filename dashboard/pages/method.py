"""Method page: what a method reaches on each benchmark."""

from __future__ import annotations

import streamlit as st

from dashboard import reads, state, tables
from harness.analysis.numbers import rank


def main() -> None:
    """Draw the page."""
    st.title("Method")
    board = reads.board()
    method = state.choice("Method", sorted({row.method for row in board.rows}), "method")
    rows = [row for row in board.rows if row.method == method]
    records = [
        {
            "benchmark": row.benchmark,
            "mean": row.mean,
            "unit": row.unit,
            "n": row.n,
            "rank": rank(board.standing(row).ranks.get(method)),
            "setting": row.differs,
        }
        for row in rows
    ]
    tables.show(records, key="results", numbers={"mean": ""}, opens=lambda row, _: ("benchmark", {"benchmark": rows[row].benchmark}))


main()
