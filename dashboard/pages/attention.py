"""Attention page: diagnostics of the methods on a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import reads, state
from harness.analysis import diagnostic_tables, source
from harness.analysis.diagnostics import Diagnostic, in_order
from harness.analysis.numbers import NOTHING

_BASELINES = {
    "entropy": "entropy_uniform",
    "unary_entropy": "unary_entropy_uniform",
    "within_category_mass": "within_category_random",
    "boundary_mass": "boundary_random",
}
"""Measure -> what uniform attention gives."""


def of_benchmark(name: str) -> None:
    """Methods side by side, a measure layer by layer, and the first epoch of training."""
    rows = reads.diagnostics(name)
    if not rows:
        st.text("None of its methods offers queries, keys or a map.")
        return
    st.caption(
        "Means over layers, test images and seeds, with 95 % intervals. They describe a method: none is better for being higher or lower."
    )
    whole = [row for row in rows if row.layer is None]
    methods = list(dict.fromkeys(row.method for row in whole))
    cell = {(row.method, row.measure): diagnostic_tables.cell(row) for row in whole}
    measures = in_order(row.measure for row in whole)
    table = pd.DataFrame(
        [{"method": method} | {measure: cell.get((method, measure), NOTHING) for measure in measures} for method in methods]
    )
    st.dataframe(table, hide_index=True, width="stretch")
    if any(row.renormalised for row in whole):
        st.caption(diagnostic_tables.EXPLAINED)
    _by_layer(rows)
    _beginnings(rows)


def _by_layer(rows: Sequence[Diagnostic]) -> None:
    baselines = set(_BASELINES.values())
    measure = state.choice("Measure", in_order(row.measure for row in rows if row.layer and row.measure not in baselines), "metric")
    points = []
    for row in rows:
        if row.layer and row.head is None and row.measure in (measure, _BASELINES.get(measure)):
            low, high = row.summary.ci95 or (row.summary.mean, row.summary.mean)
            values = {"layer": row.layer, "method": row.method, "mean": row.summary.mean, "low": low, "high": high}
            points.append(values | {"uniform": row.measure != measure})
    frame = pd.DataFrame(points)
    # the order of the leaderboard, in the plot as in its legend
    order = list(dict.fromkeys(frame["method"]))
    offset = alt.YOffset("method:N", sort=order)
    base = alt.Chart(frame[~frame["uniform"]]).encode(y=alt.Y("layer:N", title=None, axis=alt.Axis(labelLimit=360)), yOffset=offset)
    chart = base.mark_errorbar().encode(x=alt.X("low:Q", title=""), x2="high:Q", color=alt.Color("method:N", sort=order))
    chart += base.mark_point(size=70, filled=True).encode(
        x=alt.X("mean:Q", title=measure, scale=alt.Scale(zero=False)),
        color=alt.Color("method:N", title="Method"),
        tooltip=["method", "mean"],
    )
    if frame["uniform"].any():
        ticks = alt.Chart(frame[frame["uniform"]]).mark_tick(color="grey", thickness=2, size=14)
        chart += ticks.encode(x="mean:Q", y="layer:N", yOffset=offset)
        st.caption("Grey: what uniform attention gives.")
    st.altair_chart(chart, width="stretch")


def _beginnings(rows: Sequence[Diagnostic]) -> None:
    """Query-key distance over the first epoch, one line per trial, where the trials' folders are on this machine."""
    methods = {digest: row.method for row in rows for digest in row.digests}
    found = []
    for trial in reads.trials():
        if trial.digest in methods and (points := source.first_epoch(trial)):
            frame = pd.DataFrame(points).groupby("iteration", as_index=False)["qk_distance"].mean()
            found.append(frame.assign(method=methods[trial.digest], trial=trial.digest))
    if not found:
        return
    st.subheader("Query-key distance over the first epoch of training")
    lines = alt.Chart(pd.concat(found), height=320).mark_line(opacity=0.8)
    chart = lines.encode(
        x=alt.X("iteration:Q", title="iteration"),
        y=alt.Y("qk_distance:Q", title="‖mean query − mean key‖"),
        color=alt.Color("method:N", title="Method"),
        detail="trial:N",
    )
    st.altair_chart(chart, width="stretch")
    st.caption("Mean over layers; a line per trial.")


def main() -> None:
    """Draw the page."""
    st.title("Attention")
    of_benchmark(state.choice("Benchmark", [*reads.counts()], "benchmark"))


main()
