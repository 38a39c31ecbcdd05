"""What all charts share: colours that are told apart by everyone, axes that end where a metric does, seeds and their interval.

    charts.show(
        charts.dots_and_intervals(
            [charts.Line(row.method, row.values, row.mean, row.ci95, group="best") for row in rows],
            row.unit, "top1 (%)", floor=row.floor, looks={"best": charts.Look(charts.COLOURS[0])},
        ),
        key="ranks",
        alt_text="Means over seeds with 95 % intervals",
    )
    colour, shape = charts.series("method", methods, chosen)                  # encodings of a chart of ours
    x = alt.X("value:Q", title=title, scale=charts.scale(unit, values), axis=charts.numbers(unit))

Fields of a chart's data have names of ours (a name of a store may have dots and brackets, which Vega reads as paths), and text of a
store is a value among the data or the title of an axis, never Vega's expressions. No tooltip is titled ``image``: of such a one
vega-tooltip loads what the value names (:func:`tips` refuses it).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import text
from harness.analysis.inference.scales import reach
from harness.analysis.numbers import digits

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B87F00", "#3B92C4", "#8F8600")
"""Okabe and Ito 2008 (Color Universal Design); orange, sky blue and yellow darker, so that all have 3 : 1 on white and on black."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
"""Of the points, one for each colour: none is told by its colour alone."""

GROUND = "#ffffff"
"""Within a hollow point, in the dark too: one that could be seen through would show the interval."""

GREY = "#808080"
"""What is not in question: the many other methods, a floor, a line of equality."""

REST = "others"
"""In a legend: all that have no colour of their own."""

_ROOM = "max(110, containerSize()[0] * 0.38)"

NAMES: Any = alt.ExprRef(_ROOM)
"""Most pixels of a name beside an axis: on a phone some are cut, elsewhere none of ours."""

_LETTERS = f"floor({_ROOM} / 6)"

MIDDLE = (
    f"length(datum.label) <= {_LETTERS} ? datum.label : "
    f"slice(datum.label, 0, {_LETTERS} - floor({_LETTERS} / 3) - 1) + '…' + slice(datum.label, -floor({_LETTERS} / 3))"
)
"""A name so long is cut in the middle, as the command line does: variants of a method differ at the end."""


def names_axis(**more: Any) -> alt.Axis:
    """An axis of names."""
    return alt.Axis(labelLimit=NAMES, labelExpr=MIDDLE, domain=False, ticks=False, **more)


ROW, DENSE, AXIS, LEGEND = 26, 20, 56, 70
"""Pixels of a line of :func:`dots_and_intervals`, of one of many, and of what stands below the lines."""


@dataclass(frozen=True)
class Look:
    """How the means of a group are drawn."""

    colour: str
    shape: str = "circle"
    hollow: bool = False


@dataclass(frozen=True)
class Line:
    """One line of :func:`dots_and_intervals`."""

    name: str
    values: Sequence[float]
    """One per seed."""
    mean: float
    ci95: tuple[float, float] | None = None
    group: str = ""
    """Lines of a group are drawn alike; those without one are grey."""


def series(
    field: str, names: Iterable[str], chosen: Sequence[str] = (), *, title: str | None = None, legend: bool = True
) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape of names: of the ``chosen`` ones where there are some or else of all, up to seven; the others are grey.

    Use the :func:`labelled` names as ``field`` if there may be more than seven, so that the legend is short.
    """
    shown = coloured(names, chosen)
    domain = [*shown, REST]
    key = alt.Legend(
        title=title, orient="bottom", columns=2, labelLimit=320, symbolLimit=len(domain), values=[*shown, *_rest(names, shown)]
    )
    colour = alt.Color(f"{field}:N", legend=key if legend else None, scale=alt.Scale(domain=domain, range=[*COLOURS[: len(shown)], GREY]))
    shape = alt.Shape(f"{field}:N", legend=key if legend else None, scale=alt.Scale(domain=domain, range=[*SHAPES[: len(shown)], "circle"]))
    return colour, shape


def _rest(names: Iterable[str], shown: Sequence[str]) -> list[str]:
    return [REST] if {*map(text.visible, names)} - {*shown} else []


def coloured(names: Iterable[str], chosen: Sequence[str] = ()) -> list[str]:
    """Names that get a colour of their own."""
    known = [*dict.fromkeys(map(text.visible, names))]
    wanted = [name for name in map(text.visible, chosen) if name in known] or known
    return wanted[: len(COLOURS)]


def labelled(names: Iterable[str], chosen: Sequence[str] = ()) -> list[str]:
    """Each of ``names`` as the legend of :func:`series` has it: itself or :data:`REST`."""
    names = [*map(text.visible, names)]
    shown = {*coloured(names, chosen)}
    return [name if name in shown else REST for name in names]


def scale(unit: str, values: Iterable[float | None], *, zero: bool = False) -> alt.Scale:
    """An axis for values of a unit, a little longer than they are apart, but no longer than the unit allows: no percentage beyond 100."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return alt.Scale()
    least, most = reach(unit, known)
    low, high = min([*known, 0.0] if zero else known), max(known)
    room = 0.04 * (high - low) or 0.02 * abs(high) or 1.0
    low, high = (max(low - room, least) if low >= least else low), (min(high + room, most) if high <= most else high)
    return alt.Scale(domain=[low, high], nice=False, zero=False)


def numbers(unit: str, **more: Any) -> alt.Axis:
    """An axis whose numbers have no more digits than those of its unit in tables."""
    form = digits(unit)
    return alt.Axis(format=f"{form[:-1]}~{form[-1]}", **more)


def tips(fields: Mapping[str, str]) -> list[alt.Tooltip]:
    """Tooltips: field -> title, and after ``|`` the unit of its numbers (``{"mean": "mean|%"}``)."""
    found = []
    for field, told in fields.items():
        title, parted, unit = told.partition("|")
        if title in ("image", "title"):
            raise ValueError(f"a tooltip titled '{title}' is no text to vega-tooltip")
        found.append(alt.Tooltip(field, title=title, format=digits(unit)) if parted else alt.Tooltip(field, title=title))
    return found


def dots_and_intervals(
    lines: Sequence[Line], unit: str, title: str, *, floor: float | None = None, looks: Mapping[str, Look] | None = None
) -> Any:
    """A line for each name: the mean, its 95 % interval cut to what the unit allows, and below it a ring for each seed.

    Args:
        title: of the axis.
        floor: a dashed rule.
        looks: of each group, in the order of the legend.
    """
    least, most = reach(unit, [value for line in lines for value in line.values])
    frame = pd.DataFrame(
        {
            "place": place,
            "name": line.name,
            "group": line.group or REST,
            "mean": line.mean,
            "low": max(line.ci95[0], least) if line.ci95 else line.mean,
            "high": min(line.ci95[1], most) if line.ci95 else line.mean,
            "seeds": len(line.values),
        }
        for place, line in enumerate(lines)
    )
    seeds = pd.DataFrame(
        ({"name": line.name, "group": line.group or REST, "value": value} for line in lines for value in line.values),
        columns=["name", "group", "value"],
    )
    there = {line.group or REST for line in lines}
    shown = {group: look for group, look in {**(looks or {}), REST: Look(GREY)}.items() if group in there}
    groups = [*shown]
    key = alt.Legend(title=None, orient="bottom", columns=4, labelLimit=320) if groups != [REST] else None
    colours = alt.Scale(domain=groups, range=[look.colour for look in shown.values()])
    colour = alt.Color("group:N", legend=key, scale=colours)
    inside = [GROUND if look.hollow else look.colour for look in shown.values()]
    fill = alt.Fill("group:N", legend=key, scale=alt.Scale(domain=groups, range=inside))
    shape = alt.Shape("group:N", legend=key, scale=alt.Scale(domain=groups, range=[look.shape for look in shown.values()]))
    ends = [*frame["low"], *frame["high"], *seeds["value"], floor] if lines else []
    order = [line.name for line in lines]
    y = alt.Y("name:N", sort=order, title=None, axis=names_axis())
    within = scale(unit, ends)
    x = alt.X("mean:Q", title=title, scale=within, axis=numbers(unit))
    about = tips({"name": "name", "mean": f"mean|{unit}", "low": f"from|{unit}", "high": f"to|{unit}", "seeds": "seeds"})
    base = alt.Chart(frame).encode(y=y, tooltip=about)
    layers = [
        base.mark_rule(strokeWidth=4, strokeCap="round").encode(x=alt.X("low:Q", title=title, scale=within), x2="high:Q", color=colour),
        base.mark_point(size=80, strokeWidth=2, opacity=1).encode(x=x, color=colour, shape=shape, fill=fill),
        alt.Chart(seeds)
        .mark_point(size=22, strokeWidth=1.2, opacity=1, yOffset=9, shape="circle")
        .encode(x=alt.X("value:Q"), y=y, color=colour, tooltip=tips({"name": "name", "value": f"a seed|{unit}"})),
    ]
    if floor is not None and math.isfinite(floor):
        rule = alt.Chart(pd.DataFrame({"floor": [floor]})).mark_rule(strokeDash=[5, 4], color=GREY, strokeWidth=1.5)
        layers.append(rule.encode(x="floor:Q", tooltip=tips({"floor": f"floor|{unit}"})))
    return alt.layer(*layers).properties(
        height=(ROW if len(lines) <= 30 else DENSE) * max(len(lines), 1) + AXIS + LEGEND * (key is not None)
    )


def show(chart: Any, *, key: str, alt_text: str) -> None:
    """Draw an Altair chart as wide as the page; ``alt_text`` says what it shows to those who do not see it."""
    st.altair_chart(chart, width="stretch", key=key, alt=alt_text)


def clicked(chart: alt.Chart, fields: Sequence[str], *, key: str, alt_text: str) -> dict[str, Any] | None:
    """Draw a chart of one layer and return the ``fields`` of the point that is clicked, ``None`` at first."""
    picked = alt.selection_point(name="picked", fields=[*fields])
    state = st.altair_chart(chart.add_params(picked), width="stretch", key=key, on_select="rerun", selection_mode="picked", alt=alt_text)
    found = state["selection"].get("picked")
    return dict(found[0]) if found else None
