"""Compare page: methods seed by seed on what both were measured on."""

from __future__ import annotations

import streamlit as st

from dashboard import reads, state, tables, text
from harness.analysis import compare
from harness.errors import HarnessError


def main() -> None:
    """Draw the page."""
    st.title("Compare")
    board = reads.board()
    methods = state.choices("Methods", sorted({row.method for row in board.rows}), "method", max_selections=5)
    if len(methods) < 2:
        st.text("Choose two to five methods.")
        return
    try:
        found = compare.compare(board, methods)
    except HarnessError as error:
        text.told("warning", "These cannot be compared.", str(error))
        return
    records = [
        {"method": row.method_a, "against": row.method_b, "benchmark": row.benchmark, "difference": row.difference, "verdict": row.verdict}
        for row in found
    ]
    tables.show(records, key="pairs", numbers={"difference": ""})
    for row in found:
        st.text(row.sentence)


main()
