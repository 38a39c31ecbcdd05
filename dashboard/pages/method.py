"""Method page: where a method stands on each benchmark, what it is, what papers print of it and claim."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboard import charts, diagrams, reads, state, tables, text
from harness import paths
from harness.analysis import diagnostic_tables, source
from harness.analysis.claims import published
from harness.analysis.claims.tables import published_text
from harness.analysis.diagnostics import in_order
from harness.analysis.numbers import NOTHING, number, rank
from harness.analysis.settings import changed
from harness.analysis.tables import csv_table
from harness.analysis.views import method as view
from harness.catalog import Catalog, Method, load_catalog
from harness.catalog.adopt import adopt
from harness.catalog.documented import plain
from harness.catalog.plugins import PluginFile, discover
from harness.errors import HarnessError
from harness.families import TIERS
from harness.outcome import COSTS

_COMPARED = 5
"""Methods that the page of comparisons takes."""

_LACKING = 6
"""Lines about trials without a result; the page of runs has them all."""

_IN_UNIT = ("mean", "from", "to", "its mean", "floor")
"""Columns in the unit of their benchmark."""


@st.cache_resource(ttl=60, show_spinner=False)
def _files() -> list[PluginFile]:
    return discover()


def _known() -> Catalog:
    """The registry, with plugins that have no entry; without any method where it cannot be read, which is told."""
    try:
        return adopt(load_catalog(), _files())
    except HarnessError as error:
        text.told("error", "The registry cannot be read.", str(error))
        return Catalog()


def _head(told: view.About | None) -> None:
    if told is None:
        text.show("This method is not in the registry, or not any more: what it is, is not known here.")
        return
    method = told.method
    text.show(" · ".join(filter(None, (method.title, method.kind, told.state + (f": {told.missing}" if told.missing else "")))))
    if (paper := method.paper) is not None:
        named = f"{paper.authors}: {paper.title}" if paper.authors else paper.title
        parts = [text.escaped(", ".join(filter(None, (named, paper.venue))))]
        parts += [f"[arXiv {text.escaped(paper.arxiv)}](https://arxiv.org/abs/{quote(paper.arxiv)})"] if paper.arxiv else []
        parts += [f"[code {text.escaped(paper.code)}](https://github.com/{quote(paper.code)})"] if paper.code else []
        st.markdown(" · ".join(parts))


def _results(name: str, found: Sequence[view.Place]) -> None:
    lacking = view.unfinished(reads.trials(methods=(name,)))
    if found:
        charts.show(diagrams.places(found), key="places", alt_text="places of the method on each benchmark")
        st.caption(diagrams.PLACES)
        _standing(found)
    elif not lacking:
        text.show("It was never run here. This does:")
        reads.command(f"harness run -m {shlex.quote(name)} -b BENCHMARK --seeds 5")
    if lacking:
        text.show("\n".join(map(_lacks, lacking[:_LACKING])) + (f"\nand {len(lacking) - _LACKING} more" * (len(lacking) > _LACKING)))
    with st.container(horizontal=True):
        state.link("Its trials", "runs", method=name)
        state.link("Its attention", "attention", method=name)
        if others := [place.best.method for place in found if place.best.method != name]:
            state.link("Compare with the best", "compare", method=[*dict.fromkeys([name, *others])][:_COMPARED])


def _lacks(some: view.Unfinished) -> str:
    what = "1 trial" if some.count == 1 else f"{some.count} trials"
    return text.visible(f"{some.benchmark}: {what} {some.state}" + (f": {some.reason}" if some.reason else ""))


def _standing(found: Sequence[view.Place]) -> None:
    differs = any(place.row.differs for place in found)
    records = [
        {
            "benchmark": f"{place.row.benchmark} v{place.row.version}",
            "mean": place.row.mean,
            "unit": place.row.unit,
            "from": place.row.ci95[0] if place.row.ci95 else None,
            "to": place.row.ci95[1] if place.row.ci95 else None,
            "rank": f"{rank(place.ends)} of {place.of}",
            "tied": place.tied or NOTHING,
            "n": place.row.n,
            **({"setting": place.row.differs or "as registered"} if differs else {}),
            "best": place.best.method,
            "its mean": place.best.mean,
            "floor": place.row.floor,
            "metric": place.row.metric,
            **{quantity.title: quantity.shown(getattr(place.row.cost, name)) for name, quantity in COSTS.items()},
            "notes": ", ".join(_notes(place)) or None,
        }
        for place in found
    ]
    tables.show(
        records,
        key="standing",
        numbers=dict.fromkeys((*_IN_UNIT, *(quantity.title for quantity in COSTS.values())), ""),
        marks=_marks(records, [place.row.unit for place in found], _IN_UNIT)
        | {
            (line, quantity.title): tables.Mark(quantity.text(getattr(place.row.cost, name)))
            for line, place in enumerate(found)
            for name, quantity in COSTS.items()
        },
        rows=9,
        columns={
            "from": "95 % interval of the mean",
            "rank": "where it may stand: all methods of the benchmark together with 95 %",
            "tied": "methods of a benchmark that share a letter cannot be told apart",
            "n": "seeds",
            "best": "method with the best mean; a click leads to it",
        },
        opens=lambda row, column: (
            ("method", {"method": found[row].best.method}) if column == "best" else ("benchmark", {"benchmark": found[row].row.benchmark})
        ),
        alt_text="where the method stands on each benchmark, and what it costs there",
    )


def _marks(records: Sequence[Mapping[str, Any]], units: Sequence[str], columns: Sequence[str]) -> dict[tuple[int, str], tables.Mark]:
    """The digits of each cell by the unit of its row."""
    return {
        (line, name): tables.Mark(number(record[name], unit))
        for line, (record, unit) in enumerate(zip(records, units, strict=True))
        for name in columns
        if record.get(name) is not None
    }


def _notes(place: view.Place) -> list[str]:
    row = place.row
    collapsed = f"attention collapsed in {row.collapsed} of {row.n} seeds"
    return [*["below the floor"] * row.below_floor, *[collapsed] * bool(row.collapsed), *filter(None, [changed(row.overrides)])]


def _what_it_is(told: view.About) -> None:
    method = told.method
    for part in told.parts:
        params = ", ".join(f"{key}: {value}" for key, value in part.params.items())
        what = f"plugin {part.plugin} in slot {part.slot}" + (f" with {params}" if params else "")
        text.show(" · ".join(filter(None, (what, part.file))))
        if part.told is None:
            text.show("The plugin's file is not here, so that its formula and options are not known.")
            continue
        if formula := part.told.sections.get("Formula"):
            text.code(formula, wrap_lines=True)
        _picture(method, part)
        first, _, more = plain(part.told.text).partition("\n\n")
        text.show(first)
        if more:
            with st.expander("In more words"):
                text.show(more)
        facts = {name: plain(part.told.sections[name]) for name in ("Shapes", "Parameters", "Map", "Source") if name in part.told.sections}
        facts |= {"Complexity": method.complexity} if part.slot == method.slot and method.complexity else {}
        text.show("\n".join(f"{name}: {' '.join(fact.split())}" for name, fact in facts.items()))
        _options(method, part, several=len(told.parts) > 1)
    if method.notes:
        text.show(plain(method.notes))


def _picture(method: Method, part: view.Part) -> None:
    """What it attends to, from the documentation of a checkout."""
    file = paths.home() / "docs" / "pictures" / "methods" / f"{method.id}.jpg"
    if part.slot == method.slot and file.is_file():
        st.image(str(file))
        what = "Masks" if method.slot == "masking" else "Attention"
        st.caption(f"{what} on three images after a short training that is the same for all methods (docs/methods.md)")


def _options(method: Method, part: view.Part, several: bool) -> None:
    if part.told is None or not part.told.options:
        return
    ranges = {name: some.plain() for name, some in method.tune.items() if some is not None}
    records: list[dict[str, object]] = []
    for option in part.told.options:
        tuned: Mapping[str, Any] = ranges.get(option.name) or ranges.get(f"{part.slot}.{option.name}") or {}
        records.append(
            {
                "option": option.name,
                "default": str(part.params.get(option.name, option.default)),
                "type": option.type.replace("`", ""),
                **({"tuned over": ", ".join(f"{kind} {ends}" for kind, ends in tuned.items()) or None} if ranges else {}),
                "meaning": plain(option.meaning),
            }
        )
    meaning = {"meaning": st.column_config.TextColumn(width=600)}
    tables.show(records, key=f"options {part.slot}", columns=meaning, alt_text="options of the method")
    text.show(f"--set method.{f'{part.slot}.' if several else ''}OPTION=VALUE changes one for a run.")


def _diagnosed(name: str) -> None:
    found = view.diagnosed(reads.cached(source.described, name), name)
    if not found:
        text.show("No diagnostics of its attention were recorded.")
        return
    measures = in_order(measure for some in found.values() for measure in some)
    text.show("Means over layers, test images and seeds, with 95 % intervals; none is better for being higher or lower.")
    records = [
        {"benchmark": where} | {measure: diagnostic_tables.cell(some.get(measure)) for measure in measures} for where, some in found.items()
    ]
    benchmarks = [next(iter(some.values())).benchmark for some in found.values()]
    tables.show(
        records,
        key="diagnostics",
        opens=lambda row, _: ("attention", {"benchmark": benchmarks[row], "method": name}),
        alt_text="diagnostics of the method's attention",
    )
    if any(row.renormalised for some in found.values() for row in some.values()):
        text.show(diagnostic_tables.EXPLAINED)


def _printed(name: str, catalog: Catalog) -> None:
    board = reads.board(metrics="whole", samples=False, benchmarks=tuple(catalog.published))
    found = view.printed(catalog, board, published.load(), name)
    if not found:
        text.show("No paper that is transcribed here prints a number of it.")
        return
    any_measured = any(row.measured for row in found)
    text.show(
        "Numbers of papers beside what was measured here, where a benchmark here has the same data and metric; never mixed with it."
        + ("" if any_measured else " None of these benchmarks was run with it yet.")
    )
    records = [
        {
            "dataset": ", ".join(filter(None, (row.number.dataset, row.number.split_or_scene))),
            "published": row.number.value,
            "measured": row.measured.mean if row.measured else None,
            **(_interval(row) if any_measured else {}),
            "unit": row.number.unit,
            "metric": row.number.metric,
            "setting": ", ".join(filter(None, (row.number.backbone, row.number.setting))),
            "table": row.number.table_title,
            "benchmark": row.benchmark or None,
            "differs": row.differs or None,
        }
        for row in found
    ]
    tables.show(
        records,
        key="published",
        numbers=dict.fromkeys(("published", "measured", "from", "to"), ""),
        marks=_marks(records, [row.number.unit for row in found], ("measured", "from", "to")),
        columns={"n": "seeds", "differs": "how what is printed was measured otherwise than on the benchmark here"},
        opens=lambda row, _: ("benchmark", {"benchmark": found[row].benchmark}) if found[row].benchmark else None,
        rows=15,
        alt_text="published numbers beside measured ones",
    )
    tables.download(f"published-{name}.csv", lambda: csv_table([*records[0]], [[*record.values()] for record in records]))


def _interval(row: view.Beside) -> dict[str, float | None]:
    measured = row.measured
    low, high = (measured and measured.ci95) or (None, None)
    return {"from": low, "to": high, "n": measured.n if measured else None}


def _claims(name: str) -> None:
    found = view.claims(reads.cached(source.claims), name)
    if not found:
        text.show("No claim of a paper is about it.")
        return
    records: list[dict[str, object]] = []
    for identity, some in found.items():
        claim = some[0].claim
        verdicts = {row.tier: row.verdict for row in some}
        records.append(
            {
                "claim": identity,
                **{tier: verdicts.get(tier) for tier in TIERS},
                "published": published_text(claim),
                "statement": claim.statement,
                "source": f"{claim.source}: {claim.place}",
            }
        )
    names = [*found]
    tables.show(
        records,
        key="claims",
        columns={"published": "difference that the source prints, towards the claim"}
        | {tier: f"verdict by what was measured on the {tier} benchmarks here" for tier in TIERS},
        opens=lambda row, _: ("claims", {"claim": names[row]}),
        rows=15,
        alt_text="claims about the method with verdicts by tier",
    )


def main() -> None:
    """Draw the page."""
    board, catalog = reads.board(), _known()
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    measured = dict.fromkeys(row.method for row in board.rows)
    names = [*(measured | dict.fromkeys(reads.cached(source.methods)) | dict.fromkeys(catalog.methods))]
    name = state.choice("Method", names, "method", place=right)
    left.title("Method")
    st.subheader(text.escaped(name))
    told = view.about(catalog, _files(), name)
    _head(told)
    _results(name, view.places(board, name))
    first: dict[str, Callable[[], None]] = {"What it is": lambda: _what_it_is(told)} if told and told.parts else {}
    state.tabs(
        first
        | {
            "Published": lambda: _printed(name, catalog),
            "Claims": lambda: _claims(name),
            "Diagnostics": lambda: _diagnosed(name),
        }
    )


main()
