"""Trial page: what one trial did and left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts, reads, state, tables, text
from harness.analysis import diagnostic_tables, source
from harness.store import TrialRow


def _diagnostics(diagnostics: Mapping[str, float], first_epoch: Sequence[Mapping[str, Any]]) -> None:
    """A table by layer and head, and the first epoch by layer."""
    if diagnostics:
        st.subheader("Diagnostics of the attention")
        measures, places = diagnostic_tables.by_place(diagnostics)
        records = [
            {"layer": layer or diagnostic_tables.OF_ALL, "head": "" if head is None else str(head)}
            | dict(zip(measures, texts, strict=True))
            for (layer, head), texts in places.items()
        ]
        tables.show(records, key="diagnostics")
    if first_epoch:
        frame = pd.DataFrame(first_epoch)
        for measure, title in (("qk_distance", "query-key distance"), ("purity", "purity")):
            known = frame.dropna(subset=[measure])
            if known.empty:  # no purity where there are not as many keys as queries
                continue
            colour, shape = charts.series("layer", known["layer"])
            chart = (
                alt.Chart(known, height=220)
                .mark_line(point=True)
                .encode(
                    x=alt.X("iteration:Q", title="iteration of the first epoch"),
                    y=alt.Y(f"{measure}:Q", title=title, scale=charts.scale("", known[measure])),
                    color=colour,
                    shape=shape,
                )
            )
            charts.show(chart, key=measure, alt_text=f"{title} over the first epoch")


def _pictures(row: TrialRow) -> None:
    """Attention maps (the image, then a column per head or map, a row per layer) and the family's own plots."""
    found = source.pictures(row)
    if found:
        st.subheader("Pictures")
    for picture in found:
        st.image(str(picture))
        st.text(picture.name)


def main() -> None:
    """Draw the page."""
    st.title("Trial")
    digest = state.words("Digest", "trial")
    if not digest:
        st.text("Choose a trial on the page of runs, or give the first digits of its digest.")
        return
    if (found := reads.trial(digest)) is None:
        return
    row, result = found
    st.text(f"{row.benchmark} · {row.method} · seed {row.seed} · {row.state} · {row.digest}")
    if row.state == "failed":
        text.told("error", "This trial failed.", row.reason or "")
    if result is not None:
        tables.show([{"metric": name, "value": value} for name, value in result.metrics.items()], key="metrics", numbers={"value": ""})
        _diagnostics(result.diagnostics, source.first_epoch(row))
    _pictures(row)
    st.subheader("End of the log")
    st.code(source.log_tail(row) or "no log", language=None)


main()
