"""Drawings of statements about methods: where they stand, how two differ, and on which samples.

The shapes say what the colours do. Text of a store is a value among the data, see :mod:`dashboard.charts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from dashboard import charts, text
from harness.analysis.numbers import RANK, change, interval, limits, number, probability

if TYPE_CHECKING:
    from harness.analysis.overall.summary import Overall
    from harness.analysis.views.comparison import Dot, Panel, Scores
    from harness.analysis.views.method import Place

_ROW, _DENSE, _AXIS = 24, 18, charts.AXIS + 16
"""Pixels of a line, of one of many, and of an axis with a title of two lines, which is part of a chart's height."""

_FIRST, _SECOND, _NEITHER, _UNKNOWN = "first is better", "second is better", "no difference shown", "too few seeds"
_VERDICTS = {"a": _FIRST, "b": _SECOND}
_COLOURS = {_FIRST: charts.COLOURS[0], _SECOND: charts.COLOURS[1], _NEITHER: charts.GREY, _UNKNOWN: charts.GREY}
_SHAPES = {_FIRST: "triangle-right", _SECOND: "triangle-left", _NEITHER: "circle", _UNKNOWN: "cross"}

_CRITICAL = "critical difference"


def _names() -> alt.Axis:
    return charts.names_axis(labelOverlap=False, labelFlush=False)


def _whole(most: int) -> list[int]:
    """Ranks that an axis names: 1, the last, and round ones between."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, most) if most <= 10 * step)
    return sorted({1, most, *(place for place in range(step, most - step // 2, step) if place > step // 2)})


PLACES = """Dot: its place by the mean. Thick bar: the places it may have, all methods of the benchmark together with 95 %. Thin line:
all places there are; the mark at its end: the last, as many as methods."""
"""Legend of :func:`places`."""


def places(found: Sequence[Place]) -> Any:
    """Where a method stands on each benchmark: of as many places as there are methods the one it has by its mean, and those it may have."""
    frame = pd.DataFrame(
        {
            "where": place.where,
            "of": place.of,
            "one": 1,
            "low": place.ends[0] if place.ends else None,
            "high": place.ends[1] if place.ends else None,
            "place": place.position,
            "told": f"{place.position or '-'} of {place.of}" + (f", may be {place.ends[0]} to {place.ends[1]}" if place.ends else ""),
            "mean": f"{number(place.row.mean, place.row.unit)} {place.row.unit}".strip(),
            "limits": limits(place.row.ci95, place.row.unit),
            "best": f"{place.best.method}: {number(place.best.mean, place.best.unit)}",
        }
        for place in found
    )
    most = max(place.of for place in found)
    about = charts.tips({"where": "benchmark", "told": "place", "mean": "mean", "limits": "95 %", "best": "best"})
    x: dict[str, Any] = {
        "title": "place on the benchmark, 1 is best",
        "scale": alt.Scale(domain=[1, max(most, 2)], nice=False, padding=8),
        "axis": alt.Axis(format="d", values=_whole(most), grid=False),
    }
    y = alt.Y("where:N", sort=[place.where for place in found], title=None, axis=_names())
    base = alt.Chart(frame).encode(y=y, tooltip=about)
    track = base.mark_rule(strokeWidth=1, color=charts.GREY).encode(x=alt.X("one:Q", **x), x2="of:Q")
    last = base.mark_tick(thickness=1.5, size=8, color=charts.GREY).encode(x="of:Q")
    span = base.mark_rule(strokeWidth=4, strokeCap="round", color=charts.COLOURS[0]).encode(x="low:Q", x2="high:Q")
    point = base.mark_point(size=130, filled=True, opacity=1, color=charts.COLOURS[0]).encode(x="place:Q")
    row = _ROW if len(found) <= 12 else _DENSE
    return alt.layer(track, last, span, point).properties(height=row * len(found) + charts.AXIS)


VERDICTS = "▶ first is better · ◀ second is better · ● no difference shown · ✚ too few seeds"
"""Legend of :func:`forest`: in a line of text, which a phone can wrap."""


def forest(panel: Panel, labels: Sequence[str], metric: str) -> Any:
    """Differences with their 95 % intervals, a line for each of ``labels``; where the first method is better they lie on the right.

    Args:
        metric: whose differences they are, for the axis.
    """
    cut = 100.0 if panel.unit == "%" else math.inf
    reach = min(1.05 * panel.reach, cut)
    frame = pd.DataFrame(
        {
            "line": label,
            "difference": row.difference,
            "low": max(row.ci95[0], -cut) if row.ci95 else row.difference,
            "high": min(row.ci95[1], cut) if row.ci95 else row.difference,
            "verdict": _VERDICTS.get(row.verdict, row.verdict),
            "told": row.sentence,
            "value": f"{change(row.difference)} {panel.unit}".strip(),
            "interval": interval(row.ci95),
            "p": probability(row.p),
        }
        for label, row in zip(labels, panel.rows, strict=True)
    )
    x: dict[str, Any] = {
        "title": [f"first − second, {metric}", "right: the first is better"],
        "scale": alt.Scale(domain=[-reach, reach], nice=False, reverse=not panel.higher_is_better),
        "axis": alt.Axis(tickCount=8),
    }
    colour = alt.Color("verdict:N", legend=None, scale=alt.Scale(domain=[*_COLOURS], range=[*_COLOURS.values()]))
    shape = alt.Shape("verdict:N", legend=None, scale=alt.Scale(domain=[*_SHAPES], range=[*_SHAPES.values()]))
    about = charts.tips({"line": "of", "value": "difference", "interval": "95 %", "p": "p, by Holm", "told": "verdict"})
    base = alt.Chart(frame).encode(y=alt.Y("line:N", sort=[*labels], title=None, axis=_names()), tooltip=about)
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color=charts.GREY).encode(x=alt.X("zero:Q", **x))
    bars = base.mark_rule(strokeWidth=2.5).encode(x="low:Q", x2="high:Q", color=colour)
    points = base.mark_point(size=110, filled=True, opacity=1).encode(x="difference:Q", color=colour, shape=shape)
    return alt.layer(zero, bars, points).properties(height=_ROW * len(labels) + _AXIS)


def ranks(table: Overall) -> Any:
    """The critical-difference diagram, a line for each method: mean ranks with their intervals for other seeds, a bar beside methods
    that cannot be told apart over benchmarks, and the critical difference as a length above them."""
    methods, count, critical = [*map(text.visible, table.methods)], len(table.methods), table.ranks.critical_difference
    spans = [(float(low), float(high)) for low, high in table.mean.seeds]
    frame = pd.DataFrame(
        {"method": method, "rank": float(rank), "low": span[0], "high": span[1], "told": limits(span, RANK)}
        for method, rank, span in zip(methods, table.mean.mean, spans, strict=True)
    )
    bars = pd.DataFrame(
        [
            {
                "from": count * (1.05 + 0.02 * place),
                "to": count * (1.058 + 0.02 * place),
                "method": methods[index],
                "first": first,
                "last": last,
            }
            for place, clique in enumerate(table.ranks.cliques)
            for first, last in [(methods[clique[0]], methods[clique[-1]])]
            for index in clique
        ],
        columns=["from", "to", "method", "first", "last"],
    )
    x: dict[str, Any] = {
        "title": "mean rank over the benchmarks, 1 is best",
        "scale": alt.Scale(domain=[1 - 0.02 * count, count * (1.06 + 0.02 * len(table.ranks.cliques))], nice=False),
        "axis": alt.Axis(values=_whole(count), format="d", grid=True),
    }
    # the length of the critical difference has a line of its own, the first
    y = alt.Y("method:N", sort=[_CRITICAL, *methods], title=None, axis=_names(), scale=alt.Scale(padding=0))
    base = alt.Chart(frame).encode(y=y, tooltip=charts.tips({"method": "method", "rank": f"mean rank|{RANK}", "told": "for other seeds"}))
    span_mark = base.mark_rule(strokeWidth=4, strokeCap="round", color=charts.COLOURS[0])
    points = base.mark_point(size=130, filled=True, opacity=1, color=charts.COLOURS[0]).encode(x="rank:Q")
    beside = alt.Chart(bars).mark_rect(color=charts.GREY).encode(x="from:Q", x2="to:Q", y=y)
    beside = beside.encode(tooltip=charts.tips({"first": "cannot be told apart: from", "last": "to"}))
    # where not even the first and the last rank are so far apart it is cut to them; its number is not
    ruled = {"method": [_CRITICAL], "from": [1.0], "to": [min(1 + critical, count)], "told": [number(critical, RANK)]}
    length = alt.Chart(pd.DataFrame(ruled)).encode(y=y)
    ruler = length.mark_rule(strokeWidth=2, color=charts.GREY).encode(x="from:Q", x2="to:Q")
    ends = [length.mark_tick(thickness=2, size=9, color=charts.GREY).encode(x=f"{end}:Q") for end in ("from", "to")]
    words = length.mark_text(align="left", dx=6, color=charts.GREY).encode(x="to:Q", text="told:N")
    spans_drawn = span_mark.encode(x=alt.X("low:Q", **x), x2="high:Q")
    return alt.layer(spans_drawn, points, beside, ruler, *ends, words).properties(height=_ROW * (count + 1) + charts.AXIS)


_SIDES = {"a": (charts.COLOURS[0], "triangle-down"), "b": (charts.COLOURS[1], "triangle-up"), "": (charts.GREY, "circle")}

HIGHER = {"a": "▼", "b": "▲", "": "●"}
"""Marks of :func:`scatter`: a scores higher, b does, both score alike."""


def scatter(some: Scores, found: Sequence[Dot], names: tuple[str, str], chosen: int | None, picked: alt.Parameter) -> Any:
    """Each test sample by what two methods score on it; samples that score alike share a dot, larger for more.

    Args:
        found: see :func:`harness.analysis.views.comparison.dots`.
        chosen: the sample whose dot is marked.
        picked: the selection that a click changes; its field is ``sample``, the first of the dot.
    """
    side = ["a" if dot.a > dot.b else "b" if dot.a < dot.b else "" for dot in found]
    frame = pd.DataFrame(
        {
            "a": dot.a,
            "b": dot.b,
            "sample": dot.samples[0],
            "samples": len(dot.samples),
            "side": which,
            "chosen": chosen in dot.samples,
        }
        for dot, which in zip(found, side, strict=True)
    )
    ends = [*frame["a"], *frame["b"]]
    unit = f" ({some.unit})" if some.unit else ""
    about: dict[str, Any] = {"scale": charts.scale(some.unit, ends), "axis": charts.numbers(some.unit)}
    x = alt.X("a:Q", title=f"first: {names[0]}{unit}", **about)
    y = alt.Y("b:Q", title=f"second: {names[1]}{unit}", **about)
    colours, shapes = zip(*_SIDES.values(), strict=True)
    colour = alt.Color("side:N", legend=None, scale=alt.Scale(domain=[*_SIDES], range=[*colours]))
    shape = alt.Shape("side:N", legend=None, scale=alt.Scale(domain=[*_SIDES], range=[*shapes]))
    most = int(frame["samples"].max())
    size = alt.Size("samples:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[1, max(most, 2)], range=[50, 50 if most == 1 else 600]))
    tips = charts.tips({"a": f"first|{some.unit}", "b": f"second|{some.unit}", "samples": "samples", "sample": "the first of them"})
    points = alt.Chart(frame).mark_point(filled=True, opacity=1)
    points = points.encode(x=x, y=y, color=colour, shape=shape, size=size, tooltip=tips).add_params(picked)
    line = alt.Chart(pd.DataFrame({"a": [min(ends), max(ends)], "b": [min(ends), max(ends)]}))
    line = line.mark_line(color=charts.GREY, strokeDash=[5, 4], strokeWidth=1).encode(x=x, y=y)
    ring = alt.Chart(frame[frame["chosen"]]).mark_point(size=900, shape="circle", strokeWidth=2, color=charts.GREY)
    return alt.layer(line, ring.encode(x="a:Q", y="b:Q"), points).properties(height=420)
