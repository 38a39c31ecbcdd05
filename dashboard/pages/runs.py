"""Runs page: where every trial stands, and why some failed."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard import reads, state, tables
from harness.store import TrialRow

_PAGE = 50
"""Trials that are seen at once."""


def _standing(row: TrialRow) -> str:
    return row.state if row.state != "running" or row.alive else "interrupted"


def main() -> None:
    """Draw the page."""
    st.title("Runs")
    rows = reads.trials()
    states = ["done", "running", "interrupted", "planned", "failed"]
    standing = {row.digest: _standing(row) for row in rows}
    counts = dict.fromkeys(states, 0)
    for each in standing.values():
        counts[each] += 1
    for column, (each, count) in zip(st.columns(len(counts)), counts.items(), strict=True):
        column.metric(each, count)
    wanted = state.choices("State", states, "state")
    shown = [row for row in rows if not wanted or standing[row.digest] in wanted]
    first = _PAGE * state.page_number(-(-len(shown) // _PAGE))
    here = shown[first : first + _PAGE]
    tables.show(
        [
            {
                "method": row.method,
                "benchmark": row.benchmark,
                "seed": row.seed,
                "state": standing[row.digest],
                "reason": row.reason or "; ".join(row.notes),
                "seconds": row.seconds,
                "finished": datetime.fromtimestamp(row.finished).strftime("%Y-%m-%d %H:%M:%S") if row.finished else "",
                "trial": row.digest,
            }
            for row in here
        ],
        key="trials",
        numbers={"seconds": ""},
        opens=lambda row, _: ("trial", {"trial": here[row].digest}),
    )


main()
