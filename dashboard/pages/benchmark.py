"""Benchmark page: what a benchmark is, sample images with annotations, and its results per scene."""

from __future__ import annotations

import os
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard import charts, reads, state, tables, text
from harness import benchmarks, data
from harness.analysis.leaderboard import Row
from harness.analysis.numbers import rank
from harness.catalog import Benchmark, load_catalog
from harness.errors import HarnessError
from harness.outcome import COSTS

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


def _confusion(rows: list[Row]) -> None:
    """What a method takes for what: a square a pair of classes, as a share of the class's test images."""
    if not rows or rows[0].family != "classification":
        return
    st.header("What is taken for what")
    row = rows[state.choice("Method", range(len(rows)), "confusion", show=lambda place: rows[place].method)]
    found = reads.confusion(row.digests)
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


def _results(name: str) -> None:
    board = reads.board(benchmarks=(name,))
    if not board.rows:
        st.text("No results yet.")
        return
    for number, methods in enumerate(board.blocks().values()):
        rows = [row for some in methods.values() for row in some]
        first, standing = rows[0], board.standing(rows[0])
        if first.differs:
            st.text(first.differs)
        if standing.judged:
            st.text(standing.sentence())
        title = f"{first.metric} ({first.unit})"
        lines = [charts.Line(row.method, row.values, row.mean, row.ci95) for row in rows]
        charts.show(charts.dots_and_intervals(lines, first.unit, title, floor=first.floor), key=f"chart {number}", alt_text=title)
        records = [
            {"method": row.method, "mean": row.mean, "n": row.n, "rank": rank(standing.ranks.get(row.method))}
            | {quantity.title: quantity.shown(getattr(row.cost, cost)) for cost, quantity in COSTS.items()}
            for row in rows
        ]
        tables.show(
            records,
            key=f"results {number}",
            numbers={"mean": first.unit},
            opens=lambda row, _, rows=rows: ("method", {"method": rows[row].method}),  # type: ignore[misc]
        )
    _confusion(board.rows)


def main() -> None:
    """Draw the page."""
    st.title("Benchmark")
    try:
        catalog = load_catalog()
    except HarnessError as error:
        text.told("error", "The registry cannot be read.", str(error))
        st.stop()
    measured = [name for name in reads.counts() if name not in catalog.benchmarks]
    name = state.choice("Benchmark", [*catalog.benchmarks, *measured], "benchmark")
    if bench := catalog.benchmarks.get(name):
        st.text(f"{bench.title}\nfamily   {bench.family}\ntier     {bench.tier}\nversion  {bench.version}")
    else:
        st.text("This benchmark is no longer in the registry.")
    _results(name)
    if bench:
        st.header("Samples")
        _show_samples(bench)


main()
