"""Claims page: what papers claim, judged by what was measured here, and the evidence of each verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts, reads, state, tables, text
from harness import families
from harness.analysis import source
from harness.analysis.claims import tables as told
from harness.analysis.claims import verdicts
from harness.analysis.settings import CHOICE
from harness.analysis.views import claims as view
from harness.catalog import load_catalog

_MARKS = {"agrees": "✓", "disagrees": "×", "undecided": "?", "not measured": "·"}
"""Before a verdict, so that a column of them is read at a glance."""


def _said(line: view.Line, tier: str) -> str | None:
    row = line.on(tier)
    return None if row is None else f"{_MARKS[row.verdict]} {line.said(tier)}"


def _list(every: Sequence[view.Line], judged: Sequence[verdicts.Judged], tuned: dict[str, str]) -> None:
    known = [*dict.fromkeys(line.claim.family for line in every)]
    methods = sorted({method for line in every for method in line.claim.methods})
    places = st.columns([2, 1.4, 1.4, 1.4, 1.6])
    words = state.words("Search", "q", place=places[0])
    family = state.choices("Family", known, "family", place=places[1])
    tier = state.choices("Tier", list(view.TIERS), "tier", place=places[2])
    verdict = state.choices("Verdict", list(verdicts.VERDICTS), "verdict", place=places[3])
    method = state.choices("Method", methods, "method", place=places[4])
    shown = view.lines(judged, family=family, tier=tier, verdict=verdict, method=method, words=words)
    if not shown:
        text.show("No claim passes these filters.")
        return
    # a tier that the filter leaves out has no column
    tiers = [name for name in families.TIERS if (not tier or name in tier) and any(line.on(name) for line in shown)]
    counts = [
        f"{told.ON[name if name in families.TIERS else None]}: {', '.join(f'{n} {each}' for each, n in counted.items())}"
        for name, counted in view.counts(shown).items()
        if not tier or name in tier
    ]
    text.show("\n".join(counts))
    tables.show(
        [
            {"claim": line.id}
            | {name: _said(line, name) for name in tiers}
            | {"published": line.published, "says": line.claim.statement, "source": line.claim.source}
            for line in shown
        ],
        key="claims",
        columns={name: {"width": 250 if any(row.tests for line in shown if (row := line.on(name))) else 110} for name in tiers}
        | {"says": {"width": 420}, "published": {"width": 120, "help": "The printed differences, towards the claim."}},
        opens=lambda row, _: ("claims", {"claim": shown[row].id} | tuned),
        alt_text="Claims with their verdict on each tier",
    )
    st.caption("A click on a claim opens its evidence. Differences are towards the claim: positive is as published.")


def _one(line: view.Line, tuned: dict[str, str]) -> None:
    claim = line.claim
    state.link("All claims", "claims", **tuned)
    st.subheader(text.escaped(claim.id))
    text.show(claim.statement)
    rows = [row for tier in view.TIERS if (row := line.on(tier))]
    text.show(
        "\n".join(f"{_MARKS[row.verdict]} {told.ON[row.tier]}: {row.verdict}{f' ({row.reason})' if row.reason else ''}" for row in rows)
    )
    found = view.differences(line)
    for unit in dict.fromkeys(each.unit for each in found):
        some = [each for each in found if each.unit == unit]
        about = f"Published and measured differences, {text.visible(unit) or 'no unit'}"
        charts.show(_chart(some, unit, claim.kind == "alike"), key=f"differences {unit}", alt_text=about)
    if any(each.ci95 for each in found):
        st.caption("Measured: the difference with the 95 % interval of that test alone; verdicts are corrected (Holm) over a tier's tests.")
    for note in told.notes(line.judged):
        text.show(note)
    tests = [test for row in line.judged for test in row.tests]
    if tests:
        records = [dict(zip(told.EVIDENCE, cells, strict=True)) for cells in told.evidence(line.judged)]
        st.subheader("Evidence")
        tables.show(
            records, key="evidence", opens=lambda row, _: ("benchmark", {"benchmark": tests[row].benchmark}), alt_text="Tests of the claim"
        )
        with st.container(horizontal=True):
            for benchmark in dict.fromkeys(test.benchmark for test in tests):
                state.link(f"{benchmark}: both methods", "compare", benchmark=benchmark, method=claim.methods)
    st.subheader("What is claimed")
    tables.show(
        [{"": name, "what": what} for name, what in told.about(claim)],
        key="about",
        columns={"what": {"width": 640}},
        alt_text="Source and numbers",
    )
    commands = told.commands(line.judged, load_catalog().benchmarks)
    if commands:
        st.subheader("To measure more")
        reads.command(*(command for _, command in commands))


def _chart(some: Sequence[view.Difference], unit: str, alike: bool) -> Any:
    frame = pd.DataFrame(
        {
            "where": f"{each.tier}: {each.where}",
            "kind": "published" if each.tier == view.PRINTED else "measured",
            "difference": each.difference,
            "low": each.ci95[0] if each.ci95 else each.difference,
            "high": each.ci95[1] if each.ci95 else each.difference,
            "text": each.text,
            "verdict": each.verdict or "",
        }
        for each in some
    )
    # places in a paper may be called alike: each has its own row, and the axis says its name
    order = [*frame["where"]] if frame["where"].is_unique else [f"{place + 1}. {where}" for place, where in enumerate(frame["where"])]
    frame["row"] = order
    kinds = ["measured", "published"]
    legend = alt.Legend(title=None, orient="bottom")
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[*charts.COLOURS[:2]]), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["circle", "diamond"]), legend=legend)
    within = charts.scale("", [*frame["low"], *frame["high"], 0.0])
    title = f"difference{'' if alike else ' towards the claim'}{f' ({unit})' if unit else ''}"
    x = alt.X("difference:Q", title=title, scale=within)
    y = alt.Y("row:N", sort=order, title=None, axis=charts.names_axis(labelOverlap=False))
    tips = charts.tips({"where": "where", "text": "difference", "verdict": "says"})
    base = alt.Chart(frame).encode(y=y, color=colour, tooltip=tips)
    return alt.layer(
        alt.Chart(pd.DataFrame({"difference": [0.0]})).mark_rule(color=charts.GREY, strokeDash=[5, 4]).encode(x=x),
        base.mark_rule(strokeWidth=4, strokeCap="round").encode(x=alt.X("low:Q", title=title, scale=within), x2="high:Q"),
        base.mark_point(size=90, filled=True, opacity=1).encode(x=x, shape=shape),
    ).properties(height=charts.ROW * len(order) + charts.AXIS + charts.LEGEND)


def main() -> None:
    """Draw the page."""
    st.title("Claims")
    tuned = {"tuned": "1"} if state.switch("Tuned alike, not as registered", "tuned") else {}
    judged = reads.cached(source.claims, tuned=bool(tuned))
    if tuned:
        text.show(CHOICE)
    every = view.lines(judged)
    asked = state.value("claim")
    line = next((line for line in every if line.id == asked), None)
    if line is not None:
        _one(line, tuned)
        return
    if asked:
        text.show(f"There is no claim {text.visible(asked)!r}.")
    st.caption(verdicts.HEAD)
    _list(every, judged, tuned)


main()
