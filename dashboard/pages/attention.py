"""Attention page: maps and predictions of methods on the same test images, measures by layer, the first epoch, paths of cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, gallery, reads, state, tables, text, traces
from harness import paths
from harness.analysis import artifacts, diagnostic_tables, kept
from harness.analysis.numbers import MEASURE
from harness.analysis.views import attention as view
from harness.diagnostics import maps
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.analysis.board import Row
    from harness.analysis.diagnostics import Diagnostic
    from harness.benchmarks.camera_localization.trajectories import Trajectory

_FIRST, _MOST = 6, 12
"""Methods that are shown at first, and at most."""

_ANY = "any"
"""Of the seeds: for each method the first that kept maps."""

_MAPS, _FIGURES, _PREDICTIONS = "maps", "figures", "predictions"
"""What a trial kept, the best first: maps as numbers, figures of an earlier harness, or predictions alone."""


@dataclass(frozen=True)
class _Trial:
    """The trial of a method that is looked at."""

    method: str
    seed: int
    digest: str
    setting: str
    unit: str
    """Of the benchmark's primary metric."""
    has: str
    """What lies beside the database: one of the above, or nothing."""


def _trial(row: Row, seed: str) -> _Trial:
    """Of the seed, or the first that kept maps, or else figures or predictions."""
    known = [*zip(row.seeds, row.digests, strict=True)]
    wanted = [pair for pair in known if seed in (_ANY, str(pair[0]))] or known
    for has in (_MAPS, _FIGURES, _PREDICTIONS):
        for number, digest in wanted:
            if _kept(digest, has):
                return _Trial(row.method, number, digest, row.setting.digest, row.unit, has)
    return _Trial(row.method, *wanted[0], row.setting.digest, row.unit, "")


def _kept(digest: str, has: str) -> bool:
    if has == _MAPS:
        return reads.cached(kept.maps_of, digest)
    name = "attention-0.jpg" if has == _FIGURES else maps.FILE
    return artifacts.find(paths.default_database(), digest, f"artifacts/{name}") is not None


def _chosen(rows: Sequence[Row]) -> list[_Trial]:
    """Methods and their trials, by what the address says."""
    left, right = st.columns([5, 1])
    names = [row.method for row in rows]
    wanted = state.choices("Methods", names, "method", place=left, max_selections=_MOST, placeholder="The best that have what is shown")
    seeds = sorted({seed for row in rows for seed in row.seeds})
    seed = state.choice("Seed", [_ANY, *map(str, seeds)], "seed", place=right)
    if wanted:
        return [_trial(row, seed) for name in wanted for row in rows if row.method == name]
    trials = [_trial(row, seed) for row in rows]
    best = next((has for has in (_MAPS, _FIGURES, _PREDICTIONS) if any(trial.has == has for trial in trials)), "")
    return [trial for trial in trials if trial.has == best][:_FIRST]


def _maps(trials: Sequence[_Trial]) -> None:
    found = {}
    for trial in trials:
        found[trial], why = reads.cached(kept.pictured, trial.digest)
        if why:
            text.told("warning", "The maps of a trial cannot be read.", why)
    images = max(map(len, found.values()), default=0)
    if not images:
        _figures(trials)
        return
    every = [one for some in found.values() for one in some]
    places = st.columns([1, 2, 1, 1.6, 1.6], vertical_alignment="bottom")
    numbers = [str(number) for number in range(images)]
    image = int(state.choice("Image", numbers, "image", place=places[0], show=lambda number: str(int(number) + 1)))
    layers = [view.LAST, view.EVERY, *view.layers(every)]
    layer = state.choice("Layer", layers, "layer", place=places[1], show=lambda name: gallery.LAYERS.get(name, name))
    heads = [view.MEAN, view.EVERY, *map(str, range(max(view.heads(every, name) for name in layers)))]
    head = state.choice("Head or map", heads, "head", place=places[2], show=lambda name: gallery.HEADS.get(name, name))
    shows = state.choice("Shown", view.SHOWS, "shown", default=view.SHOWS[0 if any(one.maps for one in every) else -1], place=places[3])
    share = state.slider("Map over image, %", "blend", 0, 100, default=55, step=5, place=places[4]) / 100
    bare = [] if shows == "maps" else [[None]]
    shown = [
        gallery.Shown(trial.method, trial.seed, trial.digest, some[image], view.chosen(some[image], layer, head) or bare)
        for trial, some in found.items()
        if image < len(some)
    ]
    same = state.switch("One colour scale for all", "scale", help="Otherwise each map goes from its own smallest value to its largest.")
    limits = view.common_limits(each for one in shown for each in one.listed if each) if same else None
    gallery.draw(
        shown,
        view.truth(shown[0].image, shows),
        lambda one, found, pixels: view.picture(one, found, shows, share, limits, least=pixels),
    )
    if shows != "maps" and (key := view.key(one.image for one in shown)) is not None:
        st.image(key, width="content")
    st.caption(view.LEGEND[shows])
    gallery.table(shown, lambda digest: ("trial", {"trial": digest}))
    if missing := [trial.method for trial, some in found.items() if not any(one.maps for one in some)]:
        text.show(f"No maps were kept of {', '.join(missing)}: the method has none, or an earlier version of the harness ran it.")


def _figures(trials: Sequence[_Trial]) -> None:
    """Of trials of earlier harnesses, which kept figures only."""
    figures = [
        (trial, picture)
        for trial in trials
        for picture in artifacts.pictures(paths.default_database(), trial.digest)
        if picture.image is not None
    ]
    if not figures:
        text.show("No maps lie beside this database: these methods have none, or results were imported without their folder `trials`.")
        return
    text.show("These trials kept figures only: a row per layer, the image first, then a column per head or map.")
    numbers = sorted({picture.image for _, picture in figures if picture.image is not None})
    image = state.choice("Image", numbers, "image", show=lambda number: str(number + 1))
    for trial, picture in figures:
        if picture.image == image:
            st.subheader(text.escaped(trial.method), divider="grey")
            try:
                st.image(artifacts.read(picture))
            except DataError as error:
                text.show(str(error))


def _measures(benchmark: str, ranked: Sequence[str], wanted: Sequence[str]) -> None:
    """Of the methods that are asked for, or of the best of ``ranked`` that have the measure."""
    rows = reads.diagnostics(benchmark)
    known = [row for row in rows if row.method in (wanted or ranked)]
    measures = view.measures(known)
    if not measures:
        text.show("None of these methods offers queries, keys or a map.")
        return
    measure = state.choice("Measure", measures, "metric")
    methods = view.having(known, measure, wanted or ranked)[: None if wanted else _FIRST]
    profile = view.profile(known, measure, methods)
    if without := [name for name in wanted if name not in methods]:
        text.show(f"Without {measure}: {', '.join(map(text.visible, without))}")
    charts.show(traces.profile(profile, methods), key="profile", alt_text=f"{measure} of each method layer by layer")
    uniform = " Grey: what uniform attention gives." if any(point.uniform is not None for point in profile.points) else ""
    st.caption(
        f"Means over test images, with 95 % intervals over seeds; rings are seeds.{uniform} None is better for being higher or lower."
    )
    if any(point.renormalised for point in profile.points):
        st.caption(diagnostic_tables.EXPLAINED)
    names = view.ordered(rows)
    whole: dict[str, dict[str, Diagnostic]] = {}
    for row in rows:
        if row.layer is None:
            whole.setdefault(row.method, {})[row.measure] = row
    st.subheader("All measures, means over layers")
    tables.show(
        [
            {"method": method} | {name: found[name].summary.mean if name in found else None for name in names}
            for method, found in whole.items()
        ],
        key="measures",
        numbers=dict.fromkeys(names, MEASURE),
        marks={
            (place, name): tables.Mark(diagnostic_tables.cell(row))
            for place, found in enumerate(whole.values())
            for name, row in found.items()
        },
        rows=12,
        alt_text="All measures of all methods",
    )


def _first_epoch(rows: Sequence[Row], trials: Sequence[_Trial]) -> None:
    methods = {trial.method for trial in trials}
    recorded = {
        (row.method, seed, digest): reads.cached(artifacts.first_epoch, digest)
        for row in rows
        if row.method in methods
        for seed, digest in zip(row.seeds, row.digests, strict=True)
    }
    known = [measure for measure in view.COURSES if view.courses(recorded, measure)]
    if not known:
        text.show("No curve of the first epoch lies beside this database: methods without queries and keys have none.")
        return
    left, right = st.columns(2)
    measure = state.choice("Measure", known, "course", show=lambda name: view.COURSES[name], place=left)
    layers = [*dict.fromkeys(row["layer"] for some in recorded.values() for row in some)]
    layer = state.choice("Layer", ["", *layers], "of", show=lambda name: name or diagnostic_tables.OF_ALL, place=right)
    found = view.courses(recorded, measure, layer or None)
    if not found:
        text.show("It was not recorded in this layer.")
        return
    title = view.COURSES[measure]
    charts.show(
        traces.courses(found, [trial.method for trial in trials], title), key="course", alt_text=f"{title} over the first epoch of training"
    )
    st.caption("Thin: a line per trial. Thick: the mean of a method, where all of its trials were looked at.")


def _paths(trials: Sequence[_Trial]) -> None:
    found: dict[_Trial, list[Trajectory]] = {}
    for trial in trials:
        found[trial], why = reads.cached(kept.trajectories, trial.digest, trial.setting)
        if why:
            text.told("warning", "The poses of a trial cannot be read.", why)
    scenes = [*dict.fromkeys(path.scene for some in found.values() for path in some)]
    if not scenes:
        text.show("No predicted poses lie beside this database.")
        return
    scene = state.choice("Scene", scenes, "scene")
    here = {trial: path for trial, some in found.items() for path in some if path.scene == scene}
    room = traces.room([*here.values()])
    with st.container(horizontal=True, gap="medium"):
        for trial, path in here.items():
            with st.container(width=330):
                text.show(f"{trial.method}, seed {trial.seed}")
                chart, about = traces.path(path, room, trial.unit), f"True and predicted path of {text.visible(trial.method)}"
                st.altair_chart(chart, width="content", key=f"path {trial.digest}", alt=about)
    st.caption("Line and circles: true. Crosses: predicted, each tied to its frame. Seen along the narrowest axis of the true path.")


def main() -> None:
    """Draw the page."""
    st.title("Attention")
    benchmark = state.choice("Benchmark", [*reads.counts()], "benchmark")
    first, apart = reads.board(benchmarks=(benchmark,)).parted()
    rows = [row for row in first[0] if row.primary] if first else []
    if not rows:
        text.show("No trial of this benchmark is done yet.")
        return
    if apart or rows[0].differs:
        text.show(f"In one setting only: {rows[0].differs or 'as registered'}.")
    trials = _chosen(rows)
    tabs: dict[str, Any] = {
        "Maps": lambda: _maps(trials),
        "Measures": lambda: _measures(benchmark, [row.method for row in rows], state.values("method")),
        "First epoch": lambda: _first_epoch(rows, trials),
    }
    if rows[0].family == "camera-localization":
        tabs["Paths"] = lambda: _paths(trials)
    state.tabs(tabs)


main()
