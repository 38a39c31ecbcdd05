"""Charts of what attention did: a measure layer by layer, over the first epoch, and paths of cameras."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from dashboard import charts
from harness.analysis.numbers import MEASURE
from harness.analysis.views import attention as view

if TYPE_CHECKING:
    from harness.benchmarks.camera_localization.trajectories import Trajectory


def profile(profile: view.Profile) -> Any:
    """A row per layer and method: mean, interval, seeds, and what uniform attention gives."""
    frame = pd.DataFrame(
        {
            "layer": point.layer,
            "method": point.method,
            "mean": point.mean,
            "low": max(point.ci95[0], 0.0) if point.ci95 else point.mean,
            "high": point.ci95[1] if point.ci95 else point.mean,
            "uniform": point.uniform,
            "seeds": len(point.values),
        }
        for point in profile.points
    )
    seeds = pd.DataFrame({"layer": p.layer, "method": p.method, "value": value} for p in profile.points for value in p.values)
    methods = [*dict.fromkeys(point.method for point in profile.points)]
    for some in (frame, seeds):
        some["shown"] = charts.labelled(some["method"], methods[: len(charts.COLOURS)])
    colour, shape = charts.series("shown", methods)
    within = charts.scale("", [*frame["low"], *frame["high"], *seeds["value"], *frame["uniform"].dropna()])
    y = alt.Y("layer:N", sort=[*profile.layers], title=None, axis=alt.Axis(labelLimit=charts.NAMES, domain=False, ticks=False))
    offset = alt.YOffset("method:N", sort=methods)
    x = partial(alt.X, title=profile.measure, scale=within)
    about = charts.tips(
        {"method": "method", "layer": "layer", "mean": f"mean|{MEASURE}", "low": f"from|{MEASURE}", "high": f"to|{MEASURE}"}
    )
    base = alt.Chart(frame).encode(y=y, yOffset=offset, color=colour, tooltip=about)
    layers = [
        base.mark_rule(strokeWidth=4, strokeCap="round").encode(x=x("low:Q"), x2="high:Q"),
        base.mark_point(size=80, filled=True, opacity=1).encode(x=x("mean:Q"), shape=shape),
        alt.Chart(seeds)
        .mark_point(size=20, strokeWidth=1.2, opacity=1, yOffset=7, shape="circle")
        .encode(x=x("value:Q"), y=y, yOffset=offset, color=colour),
    ]
    if frame["uniform"].notna().any():
        ticks = alt.Chart(frame.dropna(subset=["uniform"])).mark_tick(color=charts.GREY, thickness=2, size=16)
        layers.append(ticks.encode(x=x("uniform:Q"), y=y, yOffset=offset, tooltip=charts.tips({"uniform": f"uniform|{MEASURE}"})))
    return alt.layer(*layers).properties(height=max(60, len(profile.layers) * (24 * len(methods) + 12)))


def courses(found: Sequence[view.Course], title: str) -> Any:
    """A thin line per trial and a thick one per method."""
    methods = [*dict.fromkeys(course.method for course in found)]
    colour, shape = charts.series("shown", methods)
    thin = pd.DataFrame(
        {"iteration": at, "value": value, "method": course.method, "seed": course.seed, "trial": course.digest}
        for course in found
        for at, value in course.points
    )
    thick = pd.DataFrame(
        {"iteration": at, "value": value, "method": method, "place": place}
        for method in methods
        for place, (at, value) in enumerate(view.mean_course([course for course in found if course.method == method]))
    )
    for some in (thin, thick):
        some["shown"] = charts.labelled(some["method"], methods[: len(charts.COLOURS)]) if len(some) else []
    x = alt.X("iteration:Q", title="iteration")
    y = alt.Y("value:Q", title=title, scale=charts.scale("", thin["value"]))
    # a few marks on each line tell it without its colour
    step = max(1, int(thick.groupby("method").size().max() / 6)) if len(thick) else 1
    marks = thick[thick["place"] % step == 0] if len(thick) else thick
    tips = charts.tips({"method": "method", "iteration": "iteration", "value": f"value|{MEASURE}"})
    layers = [alt.Chart(thin).mark_line(opacity=0.45, strokeWidth=1).encode(x=x, y=y, color=colour, detail="trial:N")]
    if len(thick):
        layers += [
            alt.Chart(thick).mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, tooltip=tips, detail="method:N"),
            alt.Chart(marks).mark_point(size=60, filled=True, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=tips),
        ]
    return alt.layer(*layers).properties(height=360)


def path(path: Trajectory, length: str) -> Any:
    """The true and the predicted path of a scene."""
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
    ends = [(frame[[true, predicted]].min().min(), frame[[true, predicted]].max().max()) for true, predicted in (("x", "px"), ("y", "py"))]
    span = max(high - low for low, high in ends) or 1.0
    # one scale for both axes: what is a square in the room is one here
    domains = [[(low + high) / 2 - 0.54 * span, (low + high) / 2 + 0.54 * span] for low, high in ends]
    x, y = (partial(axis, scale=alt.Scale(domain=ends, nice=False)) for axis, ends in zip((alt.X, alt.Y), domains, strict=True))
    titles = [f"{axis} ({length})" if length else axis for axis in path.axes]
    tips = charts.tips({"frame": "frame", "away": "position error|m", "turned": "orientation error (°)|°"})
    base = alt.Chart(frame)
    true, predicted = charts.COLOURS[0], charts.COLOURS[1]
    return alt.layer(
        base.mark_rule(color=charts.GREY, strokeWidth=0.7).encode(
            x=x("x:Q", title=titles[0]), y=y("y:Q", title=titles[1]), x2="px:Q", y2="py:Q"
        ),
        base.mark_line(color=true, strokeWidth=2).encode(x=x("x:Q"), y=y("y:Q"), detail="part:N", order="frame:Q"),
        base.mark_point(color=true, filled=True, size=16, opacity=1).encode(x=x("x:Q"), y=y("y:Q"), tooltip=tips),
        base.mark_point(color=predicted, shape="cross", angle=45, filled=True, size=50, opacity=1).encode(
            x=x("px:Q"), y=y("py:Q"), tooltip=tips
        ),
    ).properties(width=300, height=300)
