"""Regressions page: a metric over the versions of the code."""

from __future__ import annotations

import streamlit as st

from dashboard import reads, state, tables
from harness.analysis import source


def main() -> None:
    """Draw the page."""
    st.title("Regressions")
    board = reads.board()
    benchmark = state.choice("Benchmark", list(dict.fromkeys(row.benchmark for row in board.rows)), "benchmark")
    method = state.choice("Method", list(dict.fromkeys(row.method for row in board.rows if row.benchmark == benchmark)), "method")
    found = reads.cached(source.history, benchmark, method)
    if found is None:
        st.text("Never measured.")
        return
    records = [{"version": each.name, "mean": each.mean, "n": len(each.seeds), "changed": each.changed} for each in found.versions]
    tables.show(records, key="history", numbers={"mean": found.spec.unit})


main()
