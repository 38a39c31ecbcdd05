"""The tabs of a trial's page: its numbers, how it learned, its maps, what its attention did, what it was run with, and its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts, reads, squares, state, tables, text
from harness import paths
from harness.analysis import artifacts, diagnostic_tables, kept, source
from harness.analysis.numbers import MEASURE
from harness.analysis.views import attention, runs
from harness.analysis.views.trial import Fact, Measured, TrialView, config_text, differences
from harness.errors import DataError

_LOG, _MORE = 40, 400
"""Lines of a log that are shown at first, and at most."""

_EVERY = 3
"""Seconds between two looks into the log of a trial that runs."""


def names(view: TrialView) -> str:
    """Which trial it is."""
    row = view.row
    told = f"{row.method} on {row.benchmark}, seed {row.seed}"
    return told + (f", {' '.join(row.overrides)}" if row.overrides else "")


def show(view: TrialView, other: TrialView | None) -> None:
    """All of them, beside those of another trial if there is one."""
    draw = {
        "Numbers": partial(_numbers, view, other),
        "Learning": partial(_learning, view, other),
        "Maps and predictions": partial(_maps, view, other),
        "Diagnostics": partial(_diagnostics, view),
        "Config": partial(_config, view, other),
        "Provenance": partial(_provenance, view),
        "Log": partial(_log, view),
    }
    state.tabs(draw)


def _heading(metric: Measured) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[metric.higher_is_better]
    name = metric.metric.removesuffix(f"/{metric.scene}") if metric.scene else metric.metric
    return f"{name}{f' ({metric.unit})' if metric.unit else ''}{arrow}"


def _numbers(view: TrialView, other: TrialView | None) -> None:
    """Metrics: a column each, so that each has the digits of its unit."""
    shown = {"this trial": view} | ({"the other trial": other} if other else {})
    rows: dict[str, dict[str, float]] = {}
    parts: dict[str, dict[str, float]] = {}
    for name, some in shown.items():
        for metric in some.metrics:
            place = rows.setdefault(name, {})
            if metric.scene:
                place = parts.setdefault(metric.scene if some is view else f"{metric.scene} (other)", {})
            place[_heading(metric)] = metric.value
    if floors := {_heading(metric): metric.floor for metric in view.metrics if metric.floor is not None and not metric.scene}:
        rows["floor"] = floors
    units = {_heading(metric): metric.unit for metric in view.metrics}
    if view.metrics:
        tables.show([{"": name} | found for name, found in rows.items()], key="metrics", numbers=units, alt_text="Metrics of the trial")
        st.caption("↑ higher is better, ↓ lower is better. The floor is what a trivial predictor reaches on the same data.")
    else:
        text.show("There are no numbers: the trial is not done." if view.standing != "done" else "It was not tested.")
    if parts:
        st.subheader("By scene or class")
        records = [{"": name} | parts[name] for name in sorted(parts)]
        tables.show(records, key="scenes", numbers=units, rows=12, alt_text="Metrics of single scenes or classes")
    if view.result is not None and (found := reads.confusion([view.row.digest])) is not None:
        st.subheader("What is taken for what")
        squares.confusion(found, key="confusion")
    priced = [{"": name, **dict(some.costs)} for name, some in shown.items() if some.costs]
    if priced:
        st.subheader("Costs of the model")
        tables.show(priced, key="costs", numbers=dict.fromkeys(dict(view.costs), ""), alt_text="Costs of the trial's model")
    if view.tuning:
        _tuned(view)
    if view.row.notes:
        st.subheader("Notes")
    for note in view.row.notes:
        text.show(note)


def _tuned(view: TrialView) -> None:
    """What was tried, the chosen point first told."""
    tried = view.tuning or {}
    st.subheader("Settings that were tried")
    mean = f"{tried['metric']}, mean over {len(tried['seeds'])} tuning seeds"
    records = []
    for place, point in enumerate(tried["points"]):
        values = point["validation"]
        told = {key: str(point["values"].get(key, "registered")) for key in tried["space"]}
        known = None if None in values else sum(values) / len(values)
        records.append({mean: known, "": "chosen" if place == tried["winner"] else ""} | told | {"trials": ", ".join(point["trials"])})
    tables.show(
        records,
        key="tuning",
        numbers={mean: ""},
        pinned=False,
        opens=lambda row, _: ("trial", {"trial": tried["points"][row]["trials"][0]}),
        alt_text="Settings that were tried on the validation split",
    )


def _learning(view: TrialView, other: TrialView | None) -> None:
    names = [*view.curves]
    if not names:
        text.show("No learning curve was stored.")
        return
    primary = f"val/{view.primary.metric}" if view.primary else ""
    looked = [name for name in names if name != "loss"]
    shown = {"loss": ("loss, mean of an epoch", "")} if "loss" in names else {}
    if looked:
        default = primary if primary in looked else looked[0]
        name = state.choice(
            "On the validation split", looked, "metric", default=default, show=lambda name: name.removeprefix("val/"), width=300
        )
        metric, units = name.removeprefix("val/"), {metric.metric: metric.unit for metric in view.metrics}
        unit = units.get(metric, units.get(metric.partition("/")[0], ""))
        shown[name] = (f"{metric}{f' ({unit})' if unit else ''} on the validation split", unit)
    for place, (name, (title, unit)) in zip(st.columns(len(shown)), shown.items(), strict=True):
        with place:
            _curve(name, title, unit, view, other)


def _curve(name: str, title: str, unit: str, view: TrialView, other: TrialView | None) -> None:
    lines = [("this trial", view), *([("the other trial", other)] if other else [])]
    points = [(whose, epoch, value) for whose, some in lines for epoch, value in some.curves.get(name, ())]
    frame = pd.DataFrame(points, columns=["trial", "epoch", "value"])
    known = frame[frame["value"].notna()]
    colour, shape = charts.series("trial", [whose for whose, _ in lines], legend=other is not None)
    chart = (
        alt.Chart(known, height=320)
        .mark_line(point={"size": 45, "filled": True})
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(nice=False, zero=False)),
            y=alt.Y("value:Q", title=title, scale=charts.scale(unit, known["value"]), axis=charts.numbers(unit)),
            color=colour,
            shape=shape,
            tooltip=charts.tips({"trial": "whose", "epoch": "epoch", "value": f"value|{unit}"}),
        )
    )
    charts.show(chart, key=f"curve {name}", alt_text=f"{text.visible(title)} over the epochs")


def _maps(view: TrialView, other: TrialView | None) -> None:
    """Attention maps over a test image, what is true of it and what was predicted, then the family's own plots."""
    url, shown = paths.default_database(), [view, *([other] if other else [])]
    left = [artifacts.pictures(url, some.row.digest) for some in shown]
    galleries = artifacts.galleries(url, [some.row.digest for some in shown])
    images = sorted({picture.image for found in left for picture in found if picture.image is not None})
    if images:
        state.link("Single layers and heads", "attention", benchmark=view.row.benchmark, method=[some.row.method for some in shown])
        image = state.choice("Test image", images, "image", show=lambda number: f"image {number + 1} of {len(images)}")
        for place, some in zip(st.columns(len(shown)), shown, strict=True):
            picture, facts = (place.container(), place.container()) if other else place.columns([3, 1])
            with picture:
                if other:
                    text.show(names(some))
                if (picture_of := galleries.get(image, {}).get(some.row.digest)) is not None:
                    _picture(picture_of)
                else:
                    text.show("No maps over this image.")
                _predicted(some.row.digest, image)
            with facts:
                kept_here, _ = reads.cached(kept.pictured, some.row.digest)
                _facts(some.pictured(image, kept_here[image].sample if image < len(kept_here) else None))
        if image in galleries:
            st.caption(
                "A row per layer: the image, then a map per head or channel. Each map is drawn from its own least value, dark, to its "
                "largest."
            )
    plots = [[plot for plot in found if plot.image is None] for found in left]
    for name in dict.fromkeys(plot.name for found in plots for plot in found):
        for place, found in zip(st.columns(len(shown)), plots, strict=True):
            with place:
                for plot in found:
                    if plot.name == name:
                        _picture(plot)
    if not images and not any(plots):
        text.show("No pictures lie beside the database. They are written when a trial is tested, and do not travel with an export.")


def _predicted(digest: str, image: int) -> None:
    """What is true of a test image beside what the trial predicted, where it kept that."""
    found, why = reads.cached(kept.pictured, digest)
    if why:
        text.show(why)
    if image >= len(found):
        return
    one = found[image]
    if one.predicted.drawn:
        left, right = st.columns(2)
        left.image(attention.truth(one, "predictions"))
        right.image(attention.picture(one, None, "predictions", 0))
        st.caption("Left what is true, right what was predicted.")
        if (key := attention.key([one])) is not None:
            st.image(key)
    if one.predicted.text:
        text.show(f"true: {one.true.text}\npredicted: {one.predicted.text}")


def _facts(facts: Sequence[Fact]) -> None:
    """Names and texts in two columns, none cut."""
    width = max((len(fact.name) for fact in facts), default=0)
    if facts:
        text.code("\n".join(f"{fact.name:{width}}  {text.visible(fact.text)}" for fact in facts), wrap_lines=True)


def _picture(picture: artifacts.Picture) -> None:
    try:
        st.image(artifacts.read(picture))
    except DataError as error:
        text.show(str(error))


def _diagnostics(view: TrialView) -> None:
    """A table by layer and head, and the first epoch by layer."""
    numbers: Mapping[str, float] = view.result.diagnostics if view.result else {}
    first_epoch = artifacts.first_epoch(paths.default_database(), view.row.digest)
    if not numbers and not first_epoch:
        text.show("The method offers no queries, keys or maps to look at, or the trial is not done.")
    if numbers:
        measures, places = diagnostic_tables.values(numbers)
        records = [
            {"layer": layer or diagnostic_tables.OF_ALL, "head": "" if head is None else str(head)} | found
            for (layer, head), found in places.items()
        ]
        columns = {"layer": {"width": "large"}}
        units = dict.fromkeys(measures, MEASURE)
        tables.show(records, key="diagnostics", numbers=units, columns=columns, rows=14, alt_text="Diagnostics by layer and head")
    if first_epoch:
        _beginning(first_epoch)


def _beginning(points: Sequence[Mapping[str, Any]]) -> None:
    frame = pd.DataFrame([*points])
    for measure, title in (("qk_distance", "query-key distance"), ("purity", "purity")):
        known = frame.dropna(subset=[measure])
        if known.empty:  # no purity where there are not as many keys as queries
            continue
        known = known.assign(line=charts.labelled(known["layer"]))
        colour, shape = charts.series("line", known["layer"])
        chart = (
            alt.Chart(known, height=320)
            .mark_line(point={"size": 30, "filled": True})
            .encode(
                x=alt.X("iteration:Q", title="iteration of the first epoch"),
                y=alt.Y(f"{measure}:Q", title=title, scale=charts.scale("", known[measure]), axis=charts.numbers("")),
                color=colour,
                shape=shape,
                detail="layer:N",
                tooltip=charts.tips({"layer": "layer", "iteration": "iteration", measure: f"{title}|"}),
            )
        )
        charts.show(chart, key=measure, alt_text=f"{title} over the first epoch")


def _config(view: TrialView, other: TrialView | None) -> None:
    if other:
        found = differences(view, other)
        st.subheader("What is different")
        if found:
            records = [{"key": each.key, "this trial": each.here, "the other trial": each.there, "of": each.of} for each in found]
            tables.show(records, key="differences", rows=14, alt_text="What the two trials do not have in common")
        else:
            text.show("Nothing: the two trials are of one config, on the same data, code and machine.")
    else:
        text.show("Choose a trial to compare with above, and this shows what is different.")
    st.subheader("Resolved config")
    text.code(config_text(view.config), height=520)


def _provenance(view: TrialView) -> None:
    st.subheader("Run it again")
    if view.command:
        text.code("\n".join(view.command), wrap_lines=True)
        differs = reads.cached(source.differs_here, view.row.digest)
        text.show(differs or "The code and the registry that are here plan this very trial, by its digest, if the dataset is the same.")
        if view.row.seed and not view.row.purpose:
            last = view.row.seed - 1
            text.show(f"Seeds 0 to {last} are run before it." if last else "Seed 0 is run before it.")
    else:
        text.show("The run that it was part of did not get to its final trials; its budget is not known.")
    st.subheader("Course")
    _facts(view.course)
    st.subheader("What its numbers depend on")
    _facts(view.provenance)


def _log(view: TrialView) -> None:
    alive = view.standing == "running"
    (st.fragment(_tail, run_every=_EVERY) if alive else _tail)(view.row.digest, alive)


def _tail(digest: str, alive: bool) -> None:
    """The end of a log, with how far the trial is where it runs; drawn again every few seconds then."""
    more = state.switch("More lines", "more")
    tail = artifacts.log_tail(paths.default_database(), digest, _MORE if more else _LOG)
    if not tail:
        text.show("No log lies beside the database.")
        return
    if alive:
        text.show(runs.phase(tail) or "It has begun.")
    text.code(tail, height=900 if more else "content")
