"""Runs page: where every trial stands, why some failed, and what they left behind."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import attention, common
from harness import paths
from harness.analysis import artifacts
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.store import TrialRow


def _when(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def main() -> None:
    """Draw the page."""
    st.title("Runs")
    rows = common.trials()
    if not rows:
        common.empty()
    counts = {state: sum(row.state == state for row in rows) for state in ("done", "running", "planned", "failed")}
    for column, (state, count) in zip(st.columns(4), counts.items(), strict=True):
        column.metric(state, count)
    states = st.multiselect("State", list(counts))
    shown = [row for row in rows if not states or row.state in states]
    frame = pd.DataFrame(
        {
            "trial": [row.digest for row in shown],
            "benchmark": [row.benchmark for row in shown],
            "method": [row.method for row in shown],
            "seed": [row.seed for row in shown],
            "purpose": [row.purpose or "result" for row in shown],
            "state": [row.state if row.state != "running" or row.alive else "interrupted" for row in shown],
            "reason": [row.reason or "; ".join(row.notes) for row in shown],
            "seconds": [row.seconds for row in shown],
            "finished": [_when(row.finished) for row in shown],
        }
    )
    st.dataframe(frame, hide_index=True, width="stretch")
    if not shown:
        return
    digest = st.selectbox("Trial", [row.digest for row in shown], format_func=lambda d: _label(next(r for r in shown if r.digest == d)))
    row = next(row for row in shown if row.digest == digest)
    if row.reason:
        st.error("This trial failed.")
        st.text(row.reason)
    if row.state == "done" and (result := common.result(digest)) is not None:
        attention.of_trial(result.diagnostics, artifacts.first_epoch(paths.default_database(), digest))
    _pictures(row.digest)
    st.subheader("End of the log")
    st.code(artifacts.log_tail(paths.default_database(), digest) or "no log", language=None)


def _pictures(digest: str) -> None:
    """Attention maps (the image, then a column per head or map, a row per layer) and the family's own plots."""
    found = artifacts.pictures(paths.default_database(), digest)
    if not found:
        return
    st.subheader("Pictures")
    for picture in found:
        try:
            st.image(artifacts.read(picture), caption=picture.name)
        except DataError as error:
            st.text(str(error))


def _label(row: TrialRow) -> str:
    return f"{row.benchmark} · {row.method} · seed {row.seed} · {row.state} · {row.digest}"


main()
