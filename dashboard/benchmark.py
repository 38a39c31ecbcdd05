"""Benchmark page: what a benchmark is, sample images with annotations, and its results per scene."""

from __future__ import annotations

import os
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard import attention, common
from harness import benchmarks, data
from harness.analysis.leaderboard import Row
from harness.catalog import Benchmark, load_catalog
from harness.errors import HarnessError

_MANY = 100
"""Classes of a heat map from which on it grows no higher and has no squares where there is nothing: browsers draw only so much."""


@st.cache_data(show_spinner="Reading samples…")
def _samples(name: str, _bench: Benchmark, version: int, count: int) -> list[tuple[str, np.ndarray, str]]:
    root = os.environ.get("HARNESS_DATA")
    task = benchmarks.task(_bench)
    found = task.samples(data.ensure(task, Path(root) if root else None), count)
    return [(sample.name, sample.annotated, sample.caption) for sample in found]


def _show_samples(bench: Benchmark) -> None:
    try:
        found = _samples(bench.id, bench, bench.version, 8)
    except HarnessError as error:
        st.info("No samples can be shown.")
        st.text(str(error))
        return
    columns = st.columns(4)
    for index, (name, picture, caption) in enumerate(found):
        with columns[index % 4]:
            st.image(picture, width="stretch")
            st.text(caption or name)


def _bars(rows: list[Row]) -> None:
    primary = [row for row in rows if row.primary]
    if not primary:
        return
    first = primary[0]
    frame = pd.DataFrame(
        {
            "method": [row.method for row in primary],
            "mean": [row.mean for row in primary],
            "low": [row.ci95[0] if row.ci95 else row.mean for row in primary],
            "high": [row.ci95[1] if row.ci95 else row.mean for row in primary],
        }
    )
    order = [row.method for row in primary]
    base = alt.Chart(frame).encode(y=alt.Y("method:N", sort=order, title=None, axis=alt.Axis(labelLimit=240)))
    chart = base.mark_bar().encode(x=alt.X("mean:Q", title=f"{first.metric} ({first.unit})")) + base.mark_errorbar().encode(
        x=alt.X("low:Q", title=""), x2="high:Q"
    )
    if first.floor is not None:
        chart = chart + alt.Chart(pd.DataFrame({"floor": [first.floor]})).mark_rule(strokeDash=[5, 4], color="grey").encode(x="floor:Q")
    st.altair_chart(chart, width="stretch")
    st.caption("Bars are means over seeds with 95 % intervals; the dashed line is the floor.")


def _confusion(rows: list[Row]) -> None:
    """What a method takes for what: a square a pair of classes, as a share of the class's test images."""
    if not rows or rows[0].family != "classification":
        return
    st.header("What is taken for what")
    row = rows[st.selectbox("Method", range(len(rows)), format_func=lambda index: " · ".join(filter(None, _which(rows[index]))))]
    found = common.confusion(row)
    if found is None:
        st.text("These trials were run before guesses were stored; run them again to see them.")
        return
    total, classes = found
    share = 100 * total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    label, guess = np.divmod(np.arange(total.size), len(total))
    frame = pd.DataFrame({"label": label, "guess": guess, "images": total.ravel(), "share": share.ravel()})
    if len(classes) > _MANY:
        frame = frame[frame["images"] > 0].copy()
    frame["class"], frame["taken for"] = (frame[column].map(dict(enumerate(classes))) for column in ("label", "guess"))
    chart = alt.Chart(frame, height=max(220, 26 * min(len(classes), _MANY))).encode(
        x=alt.X("taken for:N", sort=classes, axis=alt.Axis(orient="top", labelAngle=-45, labelOverlap=True)),
        y=alt.Y("class:N", sort=classes, axis=alt.Axis(labelOverlap=True)),
        tooltip=["class", "taken for", "images", alt.Tooltip("share", format=".1f")],
    )
    squares = chart.mark_rect().encode(color=alt.Color("share:Q", title="% of class", scale=alt.Scale(domain=[0, 100], scheme="blues")))
    if len(classes) <= 20:
        light = alt.condition("datum.share > 50", alt.value("white"), alt.value("black"))
        squares += chart.transform_filter("datum.images > 0").mark_text().encode(text="images:Q", color=light)
    st.altair_chart(squares, width="stretch")
    st.caption("Numbers are test images over all seeds; colour is their share of the class, so that a row adds up to 100 %.")


def _which(row: Row) -> tuple[str, str]:
    return row.method, row.differs


def main() -> None:
    """Draw the page."""
    st.title("Benchmarks")
    try:
        catalog = load_catalog()
    except HarnessError as error:
        st.error("The registry cannot be read.")
        st.text(str(error))
        st.stop()
    name = st.selectbox("Benchmark", list(catalog.benchmarks))
    bench = catalog.benchmarks[name]
    st.text(bench.title)
    left, right = st.columns(2)
    left.text(f"family   {bench.family}\ntier     {bench.tier}\nversion  {bench.version}")
    right.code(str(bench.data), language=None)
    if bench.tier == "synthetic":
        st.caption("Synthetic: generated images, for machinery and controlled questions.")
    st.header("Samples")
    _show_samples(bench)
    st.header("Results")
    board = common.board()
    rows = [row for row in board.rows if row.benchmark == name]
    if not rows:
        st.text("No results yet.")
        return
    for mine in common.blocks(rows):
        if mine[0].differs:
            st.text(common.name(mine[0]))
        _bars(mine)
        standing = board.standing(mine[0])
        if standing.judged:
            st.text(standing.sentence())
        st.dataframe(common.table(mine, standing).drop(columns="benchmark"), hide_index=True, width="stretch")
    _confusion([row for row in rows if row.primary])
    attention.of_benchmark(name)


main()
