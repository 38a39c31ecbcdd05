"""Method page: what a method is, where it stands on each benchmark, what papers print of it and claim."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import charts, diagrams, reads, state, tables, text
from harness.analysis import diagnostic_tables, source
from harness.analysis.claims import published
from harness.analysis.claims.tables import published_text
from harness.analysis.diagnostics import in_order
from harness.analysis.leaderboard import Board
from harness.analysis.numbers import NOTHING, rank
from harness.analysis.tables import csv_table
from harness.analysis.views import method as view
from harness.catalog import Catalog, load_catalog
from harness.catalog.adopt import adopt
from harness.catalog.documented import plain
from harness.catalog.plugins import PluginFile, discover
from harness.errors import HarnessError
from harness.outcome import COSTS


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


def _head(name: str, told: view.About | None) -> None:
    st.title(text.escaped(name))
    if told is None:
        st.text("This method is not in the registry, or not any more: what it is, is not known here.")
        return
    method = told.method
    st.text(" · ".join(filter(None, (method.title, method.kind, told.state + (f": {told.missing}" if told.missing else "")))))
    if (paper := method.paper) is not None:
        parts = [text.escaped(", ".join(filter(None, (f"{paper.authors}: {paper.title}", paper.venue))))]
        parts += [f"[arXiv {text.escaped(paper.arxiv)}](https://arxiv.org/abs/{_quoted(paper.arxiv)})"] if paper.arxiv else []
        parts += [f"[code: {text.escaped(paper.code)}](https://github.com/{_quoted(paper.code)})"] if paper.code else []
        st.markdown(" · ".join(parts))


def _quoted(part: str) -> str:
    from urllib.parse import quote

    return quote(part, safe="/")


def _standing(found: Sequence[view.Place]) -> None:
    units = {place.row.unit for place in found}
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
            **({"setting": place.row.differs or "as registered"} if any(some.row.differs for some in found) else {}),
            "best": place.best.method,
            "its mean": place.best.mean,
            "floor": place.row.floor,
            "metric": place.row.metric,
        }
        | {quantity.title: quantity.shown(getattr(place.row.cost, name)) for name, quantity in COSTS.items()}
        | {"notes": ", ".join(filter(None, ("below the floor" * place.row.below_floor, "attention collapsed" * bool(place.row.collapsed))))}
        for place in found
    ]
    tables.show(
        records,
        key="standing",
        numbers=dict.fromkeys(("mean", "from", "to", "its mean", "floor"), units.pop() if len(units) == 1 else "")
        | {quantity.title: "" for quantity in COSTS.values()},
        columns={
            "from": "95 % interval of the mean",
            "to": "95 % interval of the mean",
            "rank": "places that it may have, all methods of the benchmark together with 95 %",
            "tied": "methods of a benchmark that share a letter cannot be told apart",
            "best": "method with the best mean",
            "n": "seeds",
        },
        opens=lambda row, column: (
            ("method", {"method": found[row].best.method}) if column == "best" else ("benchmark", {"benchmark": found[row].row.benchmark})
        ),
        alt_text="where the method stands on each benchmark",
    )


def _results(name: str, board: Board) -> None:
    found = view.places(board, name)
    lacking = view.unfinished(reads.trials(methods=(name,)))
    if found:
        charts.show(diagrams.places(found), key="places", alt_text="places of the method on each benchmark")
    elif not lacking:
        st.text("Never run here:")
        st.code(f"harness run -m {name} -b BENCHMARK --seeds 5", language="bash")
    for some in lacking:
        what = "1 trial" if some.count == 1 else f"{some.count} trials"
        st.text(f"{some.benchmark}: {what} {some.state}" + (f": {some.reason}" if some.reason else ""))
    if lacking:
        state.link("All its trials", "runs", method=name)


def _parts(told: view.About) -> None:
    method = told.method
    for part in told.parts:
        params = ", ".join(f"{key}: {value}" for key, value in part.params.items())
        st.text(
            f"Plugin {part.plugin} in slot {part.slot}" + (f" with {params}" if params else "") + (f" · {part.file}" if part.file else "")
        )
        if part.told is None:
            st.text("The plugin's file is not here, so that its formula and options are not known.")
            continue
        if formula := part.told.sections.get("Formula"):
            st.code(formula, language=None)
        st.text(plain(part.told.text))
        facts = {name: plain(part.told.sections[name]) for name in ("Shapes", "Parameters", "Map", "Source") if name in part.told.sections}
        if part.slot == method.slot:
            facts |= {"Complexity": method.complexity} if method.complexity else {}
        for name, fact in facts.items():
            left, right = st.columns([1, 7])
            left.text(name)
            right.text(" ".join(fact.split()))
        if part.told.options:
            ranges = {
                key.rpartition(".")[2]: some.plain()
                for key, some in method.tune.items()
                if "." not in key or key.startswith(f"{part.slot}.")
            }
            records = [
                {
                    "option": option.name,
                    "default": str(part.params.get(option.name, option.default)),
                    "type": option.type.replace("`", ""),
                    "meaning": plain(option.meaning),
                }
                | (
                    {
                        "tuned over": " ".join(f"{kind} {ends}" for kind, ends in ranges[option.name].items())
                        if option.name in ranges
                        else None
                    }
                    if ranges
                    else {}
                )
                for option in part.told.options
            ]
            tables.show(
                records,
                key=f"options {part.slot}",
                columns={"meaning": st.column_config.TextColumn(width="large")},
                alt_text="options of the method",
            )
            st.text(f"--set method.{'' if len(told.parts) == 1 else f'{part.slot}.'}OPTION=VALUE changes one for a run.")
    if method.notes:
        st.text(plain(method.notes))


def _diagnosed(name: str, board: Board) -> None:
    found = view.diagnosed(reads.cached(_described, name), name)
    if not found:
        st.text("No diagnostics of its attention were recorded.")
        return
    measures = in_order(measure for some in found.values() for measure in some)
    records = [
        {"benchmark": where} | {measure: diagnostic_tables.cell(some.get(measure)) for measure in measures} for where, some in found.items()
    ]
    st.text("Means over layers, test images and seeds, with 95 % intervals; none is better for being higher or lower.")
    places = [next(iter(some.values())).benchmark for some in found.values()]
    tables.show(
        records, key="diagnostics", opens=lambda row, _: ("attention", {"benchmark": places[row], "method": name}), alt_text="diagnostics"
    )
    if any(row.renormalised for some in found.values() for row in some.values()):
        st.text(diagnostic_tables.EXPLAINED)


def _described(url: str, name: str):  # type: ignore[no-untyped-def]
    return source.diagnostics(url, source.board(url, metrics="primary", methods=[name]))


def _printed(name: str, catalog: Catalog) -> None:
    board = reads.board(metrics="whole", samples=False, benchmarks=tuple(catalog.published))
    found = view.printed(catalog, board, published.load(), name)
    if not found:
        st.text("No paper that is transcribed here prints a number of it.")
        return
    st.text("Numbers of papers beside what was measured here, where a benchmark here has the same data and metric; never mixed with it.")
    records = [
        {
            "dataset": ", ".join(filter(None, (row.number.dataset, row.number.split_or_scene))),
            "published": row.number.value,
            "measured": row.measured.mean if row.measured else None,
            "n": row.measured.n if row.measured else None,
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
        key="printed",
        numbers={"published": "", "measured": ""},
        opens=lambda row, _: ("benchmark", {"benchmark": found[row].benchmark}) if found[row].benchmark else None,
        rows=15,
        alt_text="published numbers beside measured ones",
    )
    tables.download(f"published-{name}.csv", csv_table([*records[0]], [[*map(_cell, record.values())] for record in records]))


def _cell(value: object) -> object:
    return "" if value is None else value


def _claims(name: str) -> None:
    found = view.claims(reads.cached(source.claims), name)
    if not found:
        st.text("No claim of a paper is about it.")
        return
    records = [
        {
            "claim": some[0].claim.statement,
            "against": str(some[0].claim.than) if some[0].claim.method == name else some[0].claim.method,
            "published": published_text(some[0].claim),
        }
        | {tier: next((row.verdict for row in some if row.tier == tier), None) for tier in ("synthetic", "small", "paper")}
        | {"source": some[0].claim.source, "id": identity}
        for identity, some in found.items()
    ]
    ids = [*found]
    tables.show(
        records,
        key="claims",
        columns={"claim": st.column_config.TextColumn(width="large"), "published": "difference that the source prints"},
        opens=lambda row, _: ("claims", {"q": ids[row]}),
        rows=15,
        alt_text="claims about the method with verdicts by tier",
    )


def _names(catalog: Catalog, board: Board) -> list[str]:
    """Methods with results, then those of the registry, and the one the address names if all of its trials failed."""
    asked = state.value("method")
    names = [*dict.fromkeys((*(row.method for row in board.rows), *catalog.methods))]
    return [*names, asked] if asked and asked not in names and reads.trials(methods=(asked,)) else names


def main() -> None:
    """Draw the page."""
    board, catalog = reads.board(), _known()
    name = state.choice("Method", _names(catalog, board), "method")
    told = view.about(catalog, _files(), name)
    _head(name, told)
    _results(name, board)
    if found := view.places(board, name):
        _standing(found)
    sections = {"Formula and options": lambda: _parts(told)} if told and told.parts else {}
    state.tabs(
        sections
        | {"Diagnostics": lambda: _diagnosed(name, board), "Published": lambda: _printed(name, catalog), "Claims": lambda: _claims(name)}
    )


main()
