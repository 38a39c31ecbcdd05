"""Charts of what attention did: a measure layer by layer, over the first epoch, and paths of cameras."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard import charts, text
from harness.analysis.numbers import MEASURE
from harness.analysis.views import attention as view

if TYPE_CHECKING:
    from harness.benchmarks.camera_localization.trajectories import Trajectory


def profile(profile: view.Profile, methods: Sequence[str]) -> Any:
    """A row per layer and method: mean and interval, below them the seeds, and what uniform attention gives.

    Args:
        methods: all that may have a line, which decides their colours.
    """
    flagged = {point.method for point in profile.points if point.renormalised}
    # the mark of the note below the chart
    called = {method: text.visible(method) + " ~" * (method in flagged) for method in methods}
    places = {method: (f"{number} mean", f"{number} seeds") for number, method in enumerate(methods)}
    frame = pd.DataFrame(
        {
            "layer": text.visible(point.layer),
            "row": _folded(point.layer),
            "method": called[point.method],
            "place": places[point.method][0],
            "mean": point.mean,
            "low": max(point.ci95[0], 0.0) if point.ci95 else point.mean,
            "high": point.ci95[1] if point.ci95 else point.mean,
            "uniform": point.uniform,
        }
        for point in profile.points
    )
    seeds = pd.DataFrame(
        {"row": _folded(point.layer), "method": called[point.method], "place": places[point.method][1], "value": value}
        for point in profile.points
        for value in point.values
    )
    for some in (frame, seeds):
        some["shown"] = charts.labelled(some["method"], charts.coloured(called.values()))
    colour, shape = charts.series("shown", [*called.values()])
    within = charts.scale("", [*frame["low"], *frame["high"], *seeds["value"], *frame["uniform"].dropna()])
    names = alt.Axis(labelLimit=charts.NAMES, labelExpr="split(datum.label, '\\n')", labelBaseline="line-bottom", domain=False, ticks=False)
    y = alt.Y("row:N", sort=[_folded(layer) for layer in profile.layers], title=None, axis=names)
    there = [place for method in methods if (frame["method"] == called[method]).any() for place in places[method]]
    offset = alt.YOffset("place:N", scale=alt.Scale(domain=there))
    x = partial(alt.X, title=profile.measure, scale=within)
    about = {"method": "method", "layer": "layer", "mean": f"mean|{MEASURE}", "low": f"from|{MEASURE}", "high": f"to|{MEASURE}"}
    base = alt.Chart(frame).encode(y=y, yOffset=offset, color=colour, tooltip=charts.tips(about))
    layers = [
        base.mark_rule(strokeWidth=4, strokeCap="round").encode(x=x("low:Q"), x2="high:Q"),
        base.mark_point(size=80, filled=True, opacity=1).encode(x=x("mean:Q"), shape=shape),
        alt.Chart(seeds)
        .mark_point(size=20, strokeWidth=1.2, opacity=1, shape="circle")
        .encode(x=x("value:Q"), y=y, yOffset=offset, color=colour, tooltip=charts.tips({"method": "method", "value": f"a seed|{MEASURE}"})),
    ]
    if frame["uniform"].notna().any():
        ticks = alt.Chart(frame.dropna(subset=["uniform"])).mark_tick(color=charts.GREY, thickness=2, size=18)
        layers.append(ticks.encode(x=x("uniform:Q"), y=y, yOffset=offset, tooltip=charts.tips({"uniform": f"uniform|{MEASURE}"})))
    rows = len(profile.layers) * (13 * len(there) + 10)
    return alt.layer(*layers).properties(height=max(60, rows) + charts.AXIS + charts.LEGEND * -(-min(len(methods), 8) // 2))


def _folded(layer: str) -> str:
    """A long name of a layer in two lines, parted at a dot: what tells layers apart stands at its end."""
    layer = text.visible(layer)
    parts = layer.split(".")
    half = (len(parts) + 1) // 2
    return layer if len(layer) < 24 or len(parts) < 2 else f"{'.'.join(parts[:half])}.\n{'.'.join(parts[half:])}"


def courses(found: Sequence[view.Course], methods: Sequence[str], title: str) -> Any:
    """A thin line per trial and a thick one per method.

    Args:
        methods: all that may have a line, which decides their colours.
    """
    thin = pd.DataFrame(
        {"iteration": at, "value": value, "method": text.visible(course.method), "trial": course.digest}
        for course in found
        for at, value in course.points
    )
    means = {method: view.mean_course([course for course in found if course.method == method]) for method in methods}
    thick = pd.DataFrame(
        (
            {"iteration": at, "value": value, "method": text.visible(method), "marked": place % max(1, len(points) // 6) == 0}
            for method, points in means.items()
            for place, (at, value) in enumerate(points)
        ),
        columns=["iteration", "value", "method", "marked"],
    )
    for some in (thin, thick):
        some["shown"] = charts.labelled(some["method"], charts.coloured(methods))
    colour, shape = charts.series("shown", methods)
    x = alt.X("iteration:Q", title="iteration", axis=alt.Axis(tickMinStep=1))
    y = alt.Y("value:Q", title=title, scale=charts.scale("", thin["value"]))
    tips = charts.tips({"method": "method", "iteration": "iteration", "value": f"value|{MEASURE}"})
    # marks on each line tell it without its colour; they come first, so that the legend is theirs
    layers = [
        alt.Chart(thick[thick["marked"]])
        .mark_point(size=70, filled=True, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tips),
        alt.Chart(thick).mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, tooltip=tips, detail="method:N"),
        alt.Chart(thin).mark_line(opacity=0.45, strokeWidth=1).encode(x=x, y=y, color=colour, detail="trial:N"),
    ]
    return alt.layer(*layers).properties(height=360)


Room = tuple[tuple[float, float], tuple[float, float]]
"""From where to where a chart goes, across and up."""


def room(some: Sequence[Trajectory]) -> Room:
    """What holds all paths, as wide as it is high: what is a square there is one on the page."""
    points = np.concatenate([each for path in some for each in (path.true, path.predicted)])
    points = points[np.isfinite(points).all(axis=1)]
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.ones(2))
    half = 0.54 * (float((high - low).max()) or 1.0)
    across, up = (float(middle) for middle in (low + high) / 2)
    return (across - half, across + half), (up - half, up + half)


def path(path: Trajectory, within: Room, length: str) -> Any:
    """The true and the predicted path of a scene.

    Args:
        within: see :func:`room`.
        length: the unit.
    """
    frame = pd.DataFrame(
        {
            "frame": range(len(path.true)),
            "part": path.part,
            "x": path.true[:, 0],
            "y": path.true[:, 1],
            "px": path.predicted[:, 0],
            "py": path.predicted[:, 1],
            "away": path.position_error,
            "turned": path.orientation_error,
        }
    ).iloc[:: max(1, len(path.true) // 500)]
    x, y = (partial(axis, scale=alt.Scale(domain=[*ends], nice=False)) for axis, ends in zip((alt.X, alt.Y), within, strict=True))
    across, up = (f"{axis} ({length})" if length else axis for axis in path.axes)
    tips = charts.tips({"frame": "frame", "away": f"position error|{length}", "turned": "orientation error (°)|°"})
    base = alt.Chart(frame)
    true, predicted = charts.COLOURS[0], charts.COLOURS[1]
    return alt.layer(
        base.mark_rule(color=charts.GREY, strokeWidth=0.7).encode(x=x("x:Q", title=across), y=y("y:Q", title=up), x2="px:Q", y2="py:Q"),
        base.mark_line(color=true, strokeWidth=2).encode(x=x("x:Q"), y=y("y:Q"), detail="part:N", order="frame:Q"),
        base.mark_point(color=true, filled=True, size=16, opacity=1).encode(x=x("x:Q"), y=y("y:Q"), tooltip=tips),
        base.mark_point(color=predicted, shape="cross", angle=45, filled=True, size=50, opacity=1).encode(
            x=x("px:Q"), y=y("py:Q"), tooltip=tips
        ),
    ).properties(width=300, height=300)
