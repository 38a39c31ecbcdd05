"""Leaderboard page: methods side by side, with intervals, floors and costs, and a metric against a cost."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import common
from harness.analysis.leaderboard import Row
from harness.outcome import COSTS


def _chosen(rows: list[Row]) -> list[Row]:
    """The rows the sidebar's filters let through."""
    chosen = rows
    for label, field in (("Family", "family"), ("Tier", "tier"), ("Benchmark", "benchmark"), ("Method", "method")):
        options = list(dict.fromkeys(getattr(row, field) for row in chosen))
        picked = st.sidebar.multiselect(label, options)
        chosen = [row for row in chosen if not picked or getattr(row, field) in picked]
    if not st.sidebar.toggle("All metrics", value=False, help="By default each benchmark's primary metric only."):
        chosen = [row for row in chosen if row.primary]
    return chosen


def _against_cost(rows: list[Row]) -> None:
    """Scatter of one benchmark's primary metric against a cost."""
    blocks = {common.name(some[0]): some for some in common.blocks([row for row in rows if row.primary])}
    if not blocks:
        return
    left, right = st.columns(2)
    primary = blocks[left.selectbox("Benchmark", list(blocks), key="plot-benchmark")]
    cost = right.selectbox(
        "Cost", list(COSTS), index=list(COSTS).index("latency_ms"), format_func=lambda name: COSTS[name].title, key="plot-cost"
    )
    points = [
        {
            "method": row.method,
            "mean": row.mean,
            "low": row.ci95[0] if row.ci95 else row.mean,
            "high": row.ci95[1] if row.ci95 else row.mean,
            "cost": COSTS[cost].shown(getattr(row.cost, cost)),
        }
        for row in primary
        if getattr(row.cost, cost) is not None
    ]
    if not points:
        st.text("No costs were measured for this benchmark.")
        return
    first = primary[0]
    direction = "higher is better" if first.higher_is_better else "lower is better"
    axis = alt.Y("mean:Q", title=f"{first.metric} ({first.unit}, {direction})", scale=alt.Scale(zero=False))
    base = alt.Chart(pd.DataFrame(points)).encode(
        x=alt.X("cost:Q", title=COSTS[cost].title, scale=alt.Scale(zero=False)), color=alt.Color("method:N", title="Method")
    )
    chart = base.mark_errorbar().encode(y=alt.Y("low:Q", title=""), y2="high:Q") + base.mark_point(size=90, filled=True).encode(
        y=axis, tooltip=["method", "mean", "low", "high", "cost"]
    )
    if first.floor is not None:
        rule = alt.Chart(pd.DataFrame({"floor": [first.floor]})).mark_rule(strokeDash=[5, 4], color="grey").encode(y="floor:Q")
        chart = chart + rule
    st.altair_chart(chart.properties(height=380), width="stretch")
    st.caption(
        "Bars are 95 % intervals over seeds, or of one seed over test samples; "
        + "the dashed line is the floor: a trivial predictor from the same data."
    )


def main() -> None:
    """Draw the page."""
    st.title("Leaderboard")
    found = common.board(all_versions=st.sidebar.toggle("Older benchmark versions", value=False))
    if not found.rows:
        common.empty()
    rows = _chosen(found.rows)
    for note in found.notes:
        st.text(f"Note: {note}")
    if any(row.tier == "synthetic" for row in rows):
        st.caption(
            "Benchmarks of the synthetic tier are generated data: for machinery and controlled questions, not for claims about photographs."
        )
    for place, mine in enumerate(common.blocks(rows)):
        st.subheader(f"{mine[0].family} · {mine[0].tier}", divider="grey")
        st.text(common.name(mine[0]))
        standing = found.standing(mine[0])
        if standing.judged:
            st.text(standing.sentence())
        shown = common.table(mine, standing).drop(columns="benchmark")
        st.dataframe(shown, hide_index=True, width="stretch", key=f"table-{place}")
    if rows:
        st.caption(
            "Methods that share a letter cannot be told apart; rank is where a method may stand; both hold for all methods of a table "
            "together with 95 %. Resolution: the difference of two given methods that is found with a chance of 80 %. "
            "τ: agreement of the order with that of as many new seeds."
        )
        st.header("Metric against cost")
        _against_cost(rows)


main()
