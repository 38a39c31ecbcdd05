"""The tabs of a benchmark's page: its results by part, by metric, by cost and by seeds, its attention, its samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard import charts, gallery, labels, reads, squares, state, tables, text
from harness import benchmarks, data
from harness.analysis import diagnostic_tables, formats, kept
from harness.analysis.board import Board
from harness.analysis.diagnostics import Diagnostic, in_order
from harness.analysis.numbers import MEASURE, digits, number
from harness.analysis.views import attention as view
from harness.analysis.views import benchmark
from harness.analysis.views.benchmark import Measured, Table
from harness.analysis.views.overview import DOWN, UP
from harness.catalog import Benchmark
from harness.errors import HarnessError
from harness.outcome import COSTS

if TYPE_CHECKING:
    from harness.diagnostics.maps import Pictured

PICTURED = 12
"""Methods whose maps are shown, best first."""

CLASSES = ("classification", "background-robustness", "segmentation", "openmmlab", "frozen-features", "self-supervised")
"""Families whose models take something for a class."""

FRONT = "on the front"


def show(name: str, table: Table | None, bench: Benchmark | None) -> None:
    """Draw the tab that is open.

    Args:
        table: the block that is looked at, ``None`` where nothing was measured.
        bench: the registry's entry, where there is one.
    """
    drawn: dict[str, Callable[[], None]] = {}
    if table is not None and table.rows:
        board = partial(reads.board, benchmarks=(name,), all_versions=True, metrics=None, samples=False)
        drawn = {
            "Parts": lambda: _parts(board(), table),
            "All metrics": lambda: _metrics(board(), table, name),
            "Cost": lambda: _cost(table),
            "Attention": lambda: _attention(table, name),
            "Diagnostics": lambda: _diagnostics(table, name),
            "Resolution": lambda: _resolution(table),
        }
        if table.family in CLASSES:
            drawn["Mistakes"] = lambda: _mistakes(table)
    if bench is not None:
        drawn["Samples"] = lambda: _samples(bench)
    if drawn:
        state.tabs(drawn)


def _arrow(some: Measured) -> str:
    return f"{text.visible(some.metric)} [{some.unit or '1'}] {UP if some.higher_is_better else DOWN}"


def _parts(board: Board, table: Table) -> None:
    found = {f"{some.metric} by {some.of}": some for some in benchmark.parts(benchmark.metrics(board, table.block), table.family)}
    if not found:
        text.show("No metric of this benchmark is reported by class, scene, joint or threshold.")
        return
    shown = found[state.choice("Metric", [*found], "metric", show=text.visible)]
    parts = shown.parts[: squares.MANY]
    records = [
        {"method": text.visible(method), "part": text.visible(part), "mean": row.mean, "text": number(row.mean, row.unit), "seeds": row.n}
        for method in shown.methods
        for part in parts
        if (row := shown.values.get((method, part)))
    ]
    _heat_map(
        pd.DataFrame(records),
        [text.visible(part) for part in parts],
        [text.visible(method) for method in shown.methods],
        title=f"{shown.metric} [{shown.unit or '1'}]",
        unit=shown.unit,
        higher_is_better=shown.higher_is_better,
    )
    direction = "higher" if shown.higher_is_better else "lower"
    st.caption(f"Means over seeds; {direction} is better, and darker is better. Methods are in the order of the primary metric.")
    if len(shown.parts) > squares.MANY:
        text.show(f"The first {squares.MANY} of {len(shown.parts)} are shown; the CSV of all metrics has them all.")


def _heat_map(frame: pd.DataFrame, parts: list[str], methods: list[str], *, title: str, unit: str, higher_is_better: bool) -> None:
    """Squares of ``mean`` by ``part`` and ``method``, with their ``text`` where there is room."""
    low, high = float(frame["mean"].min()), float(frame["mean"].max())
    colour = alt.Color(
        "mean:Q",
        title=title,
        scale=alt.Scale(domain=[low, high] if low < high else [low - 1, low + 1], scheme="blues", reverse=not higher_is_better),
        legend=alt.Legend(orient="bottom", format=digits(unit), gradientLength=240),
    )
    base = alt.Chart(frame).encode(
        x=alt.X(
            "part:N",
            sort=parts,
            title=None,
            axis=alt.Axis(orient="top", labelAngle=-45, labelOverlap=len(parts) > squares.WRITTEN, labelLimit=140, domain=False),
        ),
        y=alt.Y("method:N", sort=methods, title=None, axis=charts.names_axis(labelOverlap=False)),
        tooltip=charts.tips({"method": "method", "part": "part", "mean": f"mean|{unit}", "seeds": "seeds"}),
    )
    chart: Any = base.mark_rect().encode(color=colour)
    if len(parts) <= squares.WRITTEN:
        middle = (low + high) / 2
        dark = f"datum.mean > {middle}" if higher_is_better else f"datum.mean < {middle}"
        room = alt.ExprRef(f"width < {squares.CELL * len(parts)} ? 0 : 1")  # on a phone
        chart += base.mark_text(fontSize=11, opacity=room).encode(
            text="text:N", color=alt.condition(dark, alt.value("white"), alt.value("black"))
        )
    longest = min(max(map(len, parts)), 24)
    chart = chart.properties(height=squares.height(methods) * len(methods) + charts.LEGEND + 40 + 5 * longest)
    chart = chart.properties(padding={"left": 5, "top": 5, "bottom": 5, "right": max(5, 4 * min(len(parts[-1]), 24) - squares.CELL // 2)})
    charts.show(chart, key="heat map", alt_text=f"{title} of {len(methods)} methods by {len(parts)} parts")


def _metrics(board: Board, table: Table, name: str) -> None:
    measured = benchmark.metrics(board, table.block)
    whole = [some for some in measured if "/" not in some.metric]
    methods = [*dict.fromkeys(method for some in measured for method in some.rows)]
    floor = {_arrow(some): some.floor for some in whole}
    # the floor stands first, where it is seen beside all that is marked
    known: list[dict[str, Any]] = [{"method": "floor", **floor}] if any(value is not None for value in floor.values()) else []
    first = len(known)
    records = known + [
        {"method": text.visible(method)} | {_arrow(some): row.mean if (row := some.rows.get(method)) else None for some in whole}
        for method in methods
    ]
    below = [(place, some, row) for some in whole for place, method in enumerate(methods, first) if (row := some.rows.get(method))]
    marks = {(place, _arrow(some)): tables.Mark(f"{number(row.mean, row.unit)} !") for place, some, row in below if row.below_floor}
    tables.show(
        records,
        key="metrics",
        numbers={_arrow(some): some.unit for some in whole},
        columns={_arrow(some): text.escaped(some.title) for some in whole},
        marks=marks,
        opens=lambda row, _: ("method", {"method": methods[row - first]}) if row >= first else None,
        boxes=False,
        alt_text=f"All metrics of {name}",
    )
    worse = " !: worse than the floor, the trivial predictor." if marks else ""
    st.caption(
        f"Means over seeds; {UP} higher is better, {DOWN} lower is better.{worse} The CSV has intervals, and every class, scene and joint."
    )
    shown = board.part(lambda block, _: block == table.block)
    tables.download(f"{name}-all-metrics.csv", partial(formats.csv_text, shown), "Download CSV of all metrics")


def _cost(table: Table) -> None:
    titles = {cost: quantity.title for cost, quantity in COSTS.items()}
    cost = state.choice("Cost", [*titles], "cost", default="latency_ms", show=lambda name: titles[name])
    points = benchmark.pareto(table.rows, cost)
    if not points:
        text.show("This cost was not measured.")
        return
    best = {line.method for line in table.lines if line.best or line.open}
    close = bool(best) and state.switch("Only the tie group of the best", "closer")
    frame = pd.DataFrame(
        {
            "method": text.visible(point.method),
            "front": FRONT if point.front else charts.REST,
            "mean": point.mean,
            "low": point.ci95[0] if point.ci95 else point.mean,
            "high": point.ci95[1] if point.ci95 else point.mean,
            "cost": point.cost,
        }
        for point in points
        if not close or point.method in best
    )
    front = frame[frame["front"] == FRONT]
    colour, shape = charts.series("front", [*frame["front"]], [FRONT])
    across = charts.scale("", [*frame["cost"]])
    upright = charts.scale(table.unit, [*frame["low"], *frame["high"]])
    x = alt.X("cost:Q", title=titles[cost], scale=across, axis=charts.numbers("", tickCount=8))
    y = alt.Y("mean:Q", title=table.axis, scale=upright, axis=charts.numbers(table.unit, tickCount=6))
    unit = table.unit
    about = charts.tips(
        {"method": "method", "mean": f"mean|{unit}", "low": f"from|{unit}", "high": f"to|{unit}", "cost": f"{titles[cost]}|"}
    )
    base = alt.Chart(frame).encode(x=x, color=colour, tooltip=about)
    layers = [
        alt.Chart(front).mark_line(interpolate="step-after", color=charts.COLOURS[0], strokeWidth=1.5).encode(x=x, y=y),
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=alt.Y("low:Q", title=table.axis), y2="high:Q"),
        base.mark_point(size=80, filled=True, opacity=1).encode(y=y, shape=shape),
        labels.beside(frame, x, y, FRONT),
    ]
    charts.show(alt.layer(*layers).properties(height=420), key="pareto", alt_text=f"{table.metric} against {titles[cost]}")
    on_front = [f"{text.visible(point.method)} ({number(point.mean, unit)}, {point.cost:.3g})" for point in points if point.front]
    text.show(f"On the front, the cheapest first: {', '.join(on_front)}.")
    st.caption("On the front no other method is as good by the mean and as cheap. Bars are the 95 % intervals of the means.")


def _attention(table: Table, name: str) -> None:
    """One test image, and beside it the map of each method's last layer."""
    found: dict[str, tuple[int, str, list[Pictured]]] = {}
    for row in table.rows:
        for seed, digest in zip(row.seeds, row.digests, strict=True):
            pictured, _ = reads.cached(kept.pictured, digest)
            if any(one.maps for one in pictured) and row.method not in found and len(found) < PICTURED:
                found[row.method] = seed, digest, pictured
                break
    state.link("Layers, heads and measures of the attention", "attention", benchmark=name)
    if not found:
        text.show("No maps of these methods lie beside this database.")
        return
    images = [*range(max(len(pictured) for _, _, pictured in found.values()))]
    image = state.choice("Test image", images, "image", show=lambda number: str(number + 1))
    shown = [
        gallery.Shown(method, seed, digest, pictured[image], view.chosen(pictured[image], view.LAST, view.MEAN))
        for method, (seed, digest, pictured) in found.items()
        if image < len(pictured)
    ]
    first = view.SHOWS[0]
    gallery.draw(shown, view.truth(shown[0].image, first), partial(view.picture, shows=first, share=0.55))
    st.caption("The last layer of each method, the mean over its heads, of the first seed that kept maps. " + view.LEGEND[first])


def _diagnostics(table: Table, name: str) -> None:
    rows = [row for row in reads.diagnostics(name) if (row.version, row.differs) == (table.block[1], table.differs)]
    whole: dict[str, dict[str, Diagnostic]] = {}
    for row in rows:
        if row.layer is None:
            whole.setdefault(row.method, {})[row.measure] = row
    if not whole:
        text.show("No diagnostics: none of these methods offers queries, keys or a map.")
        return
    measures, methods = in_order(measure for found in whole.values() for measure in found), [*whole]
    records = [
        {"method": text.visible(method)} | {m: found[m].summary.mean if m in found else None for m in measures}
        for method, found in whole.items()
    ]
    marks = {
        (place, row.measure): tables.Mark(diagnostic_tables.cell(row))
        for place, found in enumerate(whole.values())
        for row in found.values()
    }
    tables.show(
        records,
        key="diagnostics",
        numbers=dict.fromkeys(measures, MEASURE),
        columns={measure: {"alignment": "left"} for measure in measures},
        marks=marks,
        opens=lambda row, _: ("attention", {"benchmark": name, "method": methods[row]}),
        boxes=False,
        alt_text=f"Diagnostics of the attention on {name}",
    )
    st.caption(
        "Means over layers, images and seeds ± half of the 95 % interval; none is better for being higher. " + diagnostic_tables.EXPLAINED
    )
    tables.download(f"{name}-diagnostics.csv", partial(diagnostic_tables.csv_text, rows), "Download CSV of every layer and head")


def _resolution(table: Table) -> None:
    standing = table.standing
    if standing is None:
        text.show("Two methods with 2 seeds or more are needed to tell what can be told apart.")
        return
    frame = pd.DataFrame({"seeds": some.seeds, "least": some.least} for some in benchmark.resolution(standing))
    frame = frame[np.isfinite(frame["least"])]
    unit = f" ({table.unit})" if table.unit else ""
    x = alt.X("seeds:Q", title="seeds of each method", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(domain=[1, 20]))
    line = alt.Chart(frame).encode(
        x=x,
        y=alt.Y("least:Q", title=f"smallest difference shown{unit}", scale=alt.Scale(zero=True), axis=charts.numbers(table.unit)),
        tooltip=charts.tips({"seeds": "seeds", "least": f"difference|{table.unit}"}),
    )
    now = alt.Chart(pd.DataFrame({"seeds": [standing.seeds]})).mark_rule(strokeDash=[5, 4], color=charts.GREY, strokeWidth=1.5).encode(x=x)
    chart = alt.layer(
        now, line.mark_line(color=charts.COLOURS[0]), line.mark_point(color=charts.COLOURS[0], filled=True, opacity=1, size=50)
    )
    charts.show(chart.properties(height=320), key="resolution", alt_text="Smallest difference that is shown, by seeds")
    reliability = standing.reliability
    text.show(
        f"{standing.sentence()}\n{standing.told_apart} of {standing.compared} pairs differ · "
        f"{100 * reliability.icc:.0f} % of the variance of the means is between methods"
    )
    st.caption(
        "The smallest difference of two given methods, with the median spread of all, that so many seeds show with a chance of 80 %. "
        "The dashed line is what was run."
    )


def _mistakes(table: Table) -> None:
    """What a method takes for what, over all seeds: a square a pair of classes."""
    rows = {row.method: row for row in table.rows}
    found = reads.confusion(rows[state.choice("Method", [*rows], "of", show=text.visible)].digests)
    if found is None:
        text.show("None of these trials said what it takes for what: what is predicted has no classes, or they ran before this was stored.")
        return
    squares.confusion(found, key="mistakes")


@st.cache_data(show_spinner="Reading samples…", max_entries=8)
def _read_samples(name: str, _bench: Benchmark, version: int, count: int) -> list[tuple[str, np.ndarray, str]]:
    root = os.environ.get("HARNESS_DATA")
    task = benchmarks.task(_bench)
    found = task.samples(data.ensure(task, Path(root) if root else None), count)
    return [(sample.name, sample.annotated, sample.caption) for sample in found]


def _samples(bench: Benchmark) -> None:
    try:
        found = _read_samples(bench.id, bench, bench.version, 8)
    except HarnessError as error:
        text.told("info", "No samples can be shown.", str(error))
        return
    columns = st.columns(4)
    for index, (name, picture, caption) in enumerate(found):
        with columns[index % 4]:
            st.image(picture, width="stretch")
            text.show(text.visible(caption or name))
