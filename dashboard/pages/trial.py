"""Trial page: what one trial measured, how it got there, what it left behind, and how to run it again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import reads, state, text, trial_tabs
from harness.analysis import source
from harness.analysis.numbers import number
from harness.analysis.views.trial import Measured, TrialView

_BADGES: dict[str, Any] = {
    "done": {"color": "green", "icon": ":material/check:"},
    "failed": {"color": "red", "icon": ":material/close:"},
    "running": {"color": "blue", "icon": ":material/play_arrow:"},
    "interrupted": {"color": "orange", "icon": ":material/pause:"},
    "planned": {"color": "gray", "icon": ":material/schedule:"},
}


def _view(digest: str) -> TrialView | None:
    """The trial that is asked for; a sentence on the page where there is none."""
    found = reads.trial(digest)
    if found is None:
        return None
    read = reads.fresh if found[0].state == "running" else reads.cached
    return read(source.trial_view, found[0].digest)


def _head(view: TrialView) -> None:
    row = view.row
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(view.standing, **_BADGES[view.standing])
        text.show(f"{trial_tabs.names(view)} · {row.digest}", width="content")
    if row.purpose:
        text.show("It only helped to choose options: it was not tested, and no table of results shows it.")
    if row.state == "failed":
        text.told("error", "This trial failed.", f"{row.kind}: {row.reason}")
    elif view.standing == "interrupted":
        text.show("Its process is gone; the same `harness run` goes on with it.")
    with st.container(horizontal=True):
        state.link("Method", "method", method=row.method)
        state.link("Benchmark", "benchmark", benchmark=row.benchmark)
        state.link("Its trials on this benchmark", "runs", method=row.method, benchmark=row.benchmark)


def _primary(metric: Measured, other: Measured | None) -> None:
    """The number first."""
    st.subheader(text.escaped(f"{number(metric.value, metric.unit)} {metric.unit}"))
    told = [f"{metric.title}, {'higher' if metric.higher_is_better else 'lower'} is better"]
    if metric.floor is not None:
        told.append(f"{'below the ' if metric.below_floor else ''}floor {number(metric.floor, metric.unit)} {metric.unit}".strip())
    if other is not None and other.metric == metric.metric:
        told.append(f"the other trial {number(other.value, other.unit)} {other.unit}".strip())
    text.show("; ".join(told))


def _other(view: TrialView) -> TrialView | None:
    """The trial beside which this one is looked at."""
    rows = {row.digest: row for row in reads.cached(source.siblings, view.row.digest)}
    order = sorted(rows, key=lambda digest: (rows[digest].method != view.row.method, rows[digest].seed != view.row.seed))
    asked = state.value("other")
    if asked and asked not in rows:
        return _view(asked)

    def shown(digest: str) -> str:
        row = rows.get(digest)
        return "no other trial" if row is None else " · ".join([row.method, f"seed {row.seed}", *row.overrides, digest])

    chosen = state.choice("Compare with", ["", *order], "other", show=shown)
    return _view(chosen) if chosen else None


def main() -> None:
    """Draw the page."""
    st.title("Trial")
    left, right = st.columns(2)
    with left:
        digest = state.words("Digest, or its first digits", "trial")
    if not digest:
        text.show("Choose a trial on the page of runs, or give the first digits of its digest.")
        state.link("All runs", "runs")
        return
    if (view := _view(digest)) is None:
        return
    with right:
        other = _other(view)
    _head(view)
    if view.primary:
        _primary(view.primary, other.primary if other else None)
    trial_tabs.show(view, other)


main()
