"""Charts of changes: since a baseline, and over versions of the code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from dashboard import charts
from harness.analysis.views import regressions

_BOUND = 4.0
"""Of what is allowed, at which the chart of changes ends: what is beyond is drawn there."""

_LEVEL = 6
"""Versions up to here have their names level, beside one another."""


def shares(lines: Sequence[regressions.Line]) -> Any:
    """Changes since a baseline as multiples of what is allowed, a row each."""
    frame = pd.DataFrame(
        {
            "name": line.name,
            "place": place,
            "share": max(-_BOUND, min(_BOUND, line.share or 0.0)),
            "zero": 0.0,
            "status": line.entry.status,
            "change": line.change,
            "now": line.now,
            "then": line.baseline,
            "allowed": line.allowed,
        }
        for place, line in enumerate(lines)
    )
    statuses = {
        "worse": (charts.COLOURS[1], "triangle-left"),
        "same": (charts.GREY, "circle"),
        "better": (charts.COLOURS[0], "triangle-right"),
    }
    domain = [*statuses, *sorted({*frame["status"]} - {*statuses})]
    ranges = [statuses.get(status, (charts.GREY, "square")) for status in domain]
    legend = alt.Legend(title=None, orient="bottom", values=[status for status in domain if (frame["status"] == status).any()])
    colour = alt.Color("status:N", scale=alt.Scale(domain=domain, range=[colour for colour, _ in ranges]), legend=legend)
    shape = alt.Shape("status:N", scale=alt.Scale(domain=domain, range=[shape for _, shape in ranges]), legend=legend)
    most = min(_BOUND, max(1.5, 1.1 * float(frame["share"].abs().max())))
    x = alt.X("share:Q", title="change / allowed", scale=alt.Scale(domain=[-most, most], nice=False))
    y = alt.Y("name:N", sort=[*frame["name"]], title=None, axis=charts.names_axis(labelOverlap=False))
    tips = charts.tips({"name": "entry", "status": "status", "now": "now", "then": "baseline", "change": "change", "allowed": "allowed"})
    base = alt.Chart(frame).encode(y=y, color=colour, tooltip=tips)
    bounds = pd.DataFrame({"share": [-1.0, 1.0]})
    return alt.layer(
        alt.Chart(bounds).mark_rule(color=charts.GREY, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x),
        base.mark_rule(strokeWidth=2).encode(x=x, x2="zero:Q"),
        base.mark_point(size=80, filled=True, opacity=1).encode(x=x, shape=shape),
    ).properties(height=22 * len(lines) + charts.AXIS + charts.LEGEND)


def history(steps: Sequence[regressions.Step], unit: str, title: str) -> Any:
    """A metric over versions of the code: seeds, means, and where the mean changed."""
    means = pd.DataFrame(
        {"index": step.index, "label": step.label, "mean": step.mean, "stretch": step.stretch, "changed": step.changed or "first"}
        for step in steps
    )
    seeds = pd.DataFrame(
        {"index": step.index, "value": value, "seed": seed, "label": step.label} for step in steps for seed, value, _ in step.seeds
    )
    moved = pd.DataFrame(
        [{"index": step.index - 0.5, "text": step.moved_text, "better": bool(step.better)} for step in steps if step.moved is not None],
        columns=["index", "text", "better"],
    )
    # versions are named below the axis by their place; names are data, and no expression of Vega's
    names = alt.Axis(labelAngle=0 if len(steps) <= _LEVEL else -40, labelLimit=140, title=None, ticks=False)
    order = [step.label for step in steps]
    several = len({*order}) == len(order)
    means["place"] = means["label"] if several else [f"{step.index + 1}: {step.label}" for step in steps]
    seeds["place"] = seeds["index"].map(dict(zip(means["index"], means["place"], strict=True)))
    x = alt.X("place:N", sort=[*means["place"]], axis=names, scale=alt.Scale(padding=0.6))
    y = partial(alt.Y, title=title, scale=charts.scale(unit, seeds["value"]), axis=charts.numbers(unit))
    blue = charts.COLOURS[0]
    about = charts.tips({"label": "version", "mean": f"mean|{unit}", "changed": "other than before"})
    layers = [
        alt.Chart(means).mark_line(color=blue, strokeWidth=2).encode(x=x, y=y("mean:Q"), detail="stretch:N"),
        alt.Chart(seeds)
        .mark_point(color=charts.GREY, size=30, strokeWidth=1.2, opacity=1)
        .encode(x=x, y=y("value:Q"), tooltip=charts.tips({"label": "version", "seed": "seed", "value": f"value|{unit}"})),
        alt.Chart(means).mark_point(color=blue, filled=True, size=80, opacity=1).encode(x=x, y=y("mean:Q"), tooltip=about),
    ]
    if len(moved):
        moved["place"] = moved["index"].map(lambda at: means["place"].iloc[int(at + 0.5)])
        colour = alt.Color("better:N", scale=alt.Scale(domain=[True, False], range=[charts.COLOURS[2], charts.COLOURS[1]]), legend=None)
        there = alt.Chart(moved).encode(x=alt.X("place:N", sort=[*means["place"]], bandPosition=0), color=colour)
        layers += [
            there.mark_rule(strokeDash=[6, 4], strokeWidth=2).encode(tooltip=charts.tips({"text": "change"})),
            there.mark_text(align="left", dx=4, dy=8, baseline="top", fontWeight="bold").encode(y=alt.value(0), text="text:N"),
        ]
    return alt.layer(*layers).properties(height=340)
