"""Matrices as charts: a square for each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard import charts, text
from harness.outcome import Confusion

MANY = 100
"""Columns of a heat map from which on it has no more: browsers draw only so much."""

CELL = 34
"""Pixels that a number in a heat map needs."""

WRITTEN = 20
"""Columns of a heat map up to which the numbers stand in it."""


def height(names: Sequence[str]) -> int:
    """Pixels of a row of a heat map: fewer where there are many."""
    return charts.ROW if len(names) <= WRITTEN else max(12, min(18, 560 // len(names)))


def confusion(found: Confusion, *, key: str) -> None:
    """What is taken for what: a square a pair of classes, as a share of the class.

    Args:
        key: of the chart on its page.
    """
    total, unit = found.counts, found.unit
    shown = [text.visible(name) for name in found.classes]
    share = 100 * total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    label, guess = np.divmod(np.arange(total.size), len(total))
    frame = pd.DataFrame({"label": label, "guess": guess, unit: total.ravel(), "share": share.ravel()})
    if len(shown) > MANY:
        frame = frame[frame[unit] > 0].copy()
    frame["class"], frame["taken"] = (frame[column].map(dict(enumerate(shown))) for column in ("label", "guess"))
    many = len(shown) > WRITTEN  # a name left out of few would be looked for
    chart = alt.Chart(frame).encode(
        x=alt.X("taken:N", title="taken for", sort=shown, axis=alt.Axis(orient="top", labelAngle=-45, labelOverlap=many)),
        y=alt.Y("class:N", title="class", sort=shown, axis=alt.Axis(labelOverlap=many, labelLimit=charts.NAMES)),
        tooltip=charts.tips({"class": "class", "taken": "taken for", unit: unit, "share": "% of class|%"}),
    )
    squares: Any = chart.mark_rect().encode(
        color=alt.Color("share:Q", title="% of class", scale=alt.Scale(domain=[0, 100], scheme="blues"), legend=alt.Legend(orient="bottom"))
    )
    if len(shown) <= WRITTEN:
        light = alt.condition("datum.share > 50", alt.value("white"), alt.value("black"))
        room = alt.ExprRef(f"width < {CELL * len(shown)} ? 0 : 1")
        number: Any = alt.Text("images:Q") if unit == "images" else alt.Text("share:Q", format=".0f")
        squares += chart.transform_filter(f"datum.{unit} > 0").mark_text(opacity=room).encode(text=number, color=light)
    squares = squares.properties(height=height(shown) * min(len(shown), MANY // 2) + charts.LEGEND + 160)
    charts.show(squares, key=key, alt_text=f"Test {unit} by class and by what they are taken for")
    numbers = "test images" if unit == "images" else "% of the class's test pixels"
    st.caption(f"Numbers are {numbers}; colour is the share of the class, so that a row adds up to 100 %.")
