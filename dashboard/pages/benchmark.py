"""Benchmark page: who stands where, and below it what the results are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from dashboard import benchmark_tabs, charts, reads, state, tables, text
from harness.analysis import formats
from harness.analysis.board import Board
from harness.analysis.claims import published
from harness.analysis.numbers import number, rank
from harness.analysis.settings import CHOICE
from harness.analysis.views import benchmark
from harness.analysis.views.benchmark import Line, Table
from harness.analysis.views.overview import key_of
from harness.catalog import Catalog, load_catalog
from harness.errors import HarnessError
from harness.outcome import COSTS

BEST = "tie group of the best"

CHOSEN, LEADS, OPEN = "chosen", "not told apart from the best", "nor these, by wide spread"

LOOKS = {
    LEADS: charts.Look(charts.COLOURS[0]),
    OPEN: charts.Look(charts.COLOURS[0], hollow=True),
    CHOSEN: charts.Look(charts.COLOURS[1], "square"),
}

LEGEND = """Mean over seeds and its 95 % interval. **Bold**, and filled above: cannot be told apart from the best, with an
interval of at most one and a half times the resolution. Hollow above: cannot be told apart either, but its interval is wider. Above, a
ring below a mean is a seed, and the dashed line the floor, a trivial predictor computed from the training data. Methods that share a
letter cannot be told apart; rank: where a method may stand; both hold for all methods together with 95 %. n 2/3: of 3 seeds that were
asked for 2 have a result. Resolution: the difference of two methods that is found with a chance of 80 %. τ: agreement of the order with
that of as many new seeds."""


def _chosen(catalog: Catalog) -> tuple[str, Table | None, Board]:
    """The benchmark and the block that the address names, and the board they are of."""
    counted = reads.counts(purposes=("",))
    names = [*(name for name in catalog.benchmarks if name in counted), *(name for name in counted if name not in catalog.benchmarks)]
    names += [name for name in catalog.benchmarks if name not in counted]
    left, right = st.columns(2)
    name = state.choice("Benchmark", names, "benchmark", show=text.visible, place=left)
    board = reads.board(benchmarks=(name,), all_versions=True)
    printed = published.beside(catalog, board, published.load(), [name]) if name in catalog.published else []
    found = {key_of(table.block): table for table in benchmark.tables(board, name, printed)}
    if not found:
        return name, None, board
    several = len({table.block[1] for table in found.values()}) > 1
    if len(found) > 1 or state.value("block"):

        def told(key: str) -> str:
            table = found[key]
            return text.visible(f"v{table.block[1]} · {table.name}" if several else table.name)

        return name, found[state.choice("Setting", [*found], "block", show=told, place=right)], board
    return name, next(iter(found.values())), board


def _about(catalog: Catalog, name: str, table: Table | None) -> None:
    known = catalog.benchmarks.get(name)
    title = known.title if known else "No longer in the registry; what was measured is still here."
    family, tier, version = (
        (table.family, table.tier, table.block[1]) if table else (known.family, known.tier, known.version) if known else ("", "", 0)
    )
    told = [family, tier, f"version {version}", table.axis if table and table.metric else "", table.block[2].device if table else ""]
    text.show(f"{text.visible(title)}\n{' · '.join(filter(None, told))}")
    if tier == "synthetic":
        st.caption("Generated data: for machinery and controlled questions, not for claims about photographs.")


def _chart(table: Table, highlighted: list[str]) -> None:
    def group(line: Line) -> str:
        return CHOSEN if line.method in highlighted else LEADS if line.best else OPEN if line.open else ""

    close = BEST if any(line.best or line.open for line in table.lines) else ""
    shown = state.segments("Methods", ["All", BEST], "near", label_visibility="collapsed") if close else "All"
    lines = [
        charts.Line(text.visible(line.method), line.row.values, line.row.mean, line.ci95, group(line))
        for line in table.lines
        if line.row and math.isfinite(line.row.mean) and (shown == "All" or group(line))
    ]
    if not lines:
        return
    floor = table.floor if table.floor is not None and near(lines, table.floor) else None
    chart = charts.dots_and_intervals(lines, table.unit, table.axis, floor=floor, looks=LOOKS)
    charts.show(chart, key="places", alt_text=f"Means of {len(lines)} methods with 95 % intervals, seeds as rings")
    if table.floor is not None and floor is None:
        text.show(f"The floor, {number(table.floor, table.unit)}, lies beyond the axis.")


def near(lines: list[charts.Line], floor: float) -> bool:
    """Whether the floor has a place beside the methods: no farther from the nearest seed than these are apart."""
    seeds = [value for line in lines for value in line.values if math.isfinite(value)]
    low, high = min(seeds), max(seeds)
    return math.isfinite(floor) and max(low - floor, floor - high) <= high - low


def _record(line: Line, table: Table, place: int) -> tuple[dict[str, Any], dict[str, tables.Mark]]:
    """What a line of the table sorts by, and what it says; where ranks are not known, its ``place`` from 1."""
    worst = -math.inf if table.higher_is_better else math.inf
    low, high = line.ci95 or (None, None)
    ranked = line.rank or ((place, place) if line.row and not table.standing else None)
    record: dict[str, Any] = {"rank": ranked[0] + ranked[1] / 1000 if ranked else None}
    record |= {"method": text.visible(line.method), "mean": line.mean, "from": low, "to": high}
    record |= {"n": line.n if line.kind != "floor" else None, "tied": line.tied}
    if not table.metric:
        record = {"method": record["method"], "mean": None, "n": line.n}
    marks = {"n": tables.Mark(line.seeds)} if line.seeds else {}
    if line.kind == "missing" and line.lacks:
        record["mean"] = worst
        marks["mean"] = tables.Mark(line.lacks.state)
    elif line.mean is not None:
        signs = line.row.signs if line.row else ""
        marks["mean"] = tables.Mark("  ".join([number(line.mean, table.unit), *signs]), line.best)
    if ranked:
        marks["rank"] = tables.Mark(rank(ranked))
    if line.row:
        costs = zip(COSTS.values(), line.row.cost.texts(COSTS, line.row.rough), strict=True)
        marks |= {quantity.title: tables.Mark(shown) for quantity, shown in costs}
    return record, marks


def _table(table: Table, board: Board, name: str) -> None:
    records: list[dict[str, Any]] = []
    marks: dict[tuple[int, str], tables.Mark] = {}
    printed = any(line.published for line in table.lines)
    maps = any(line.row and line.row.map for line in table.lines)
    remarks = any(line.remarks for line in table.lines)
    placed = 0
    for place, line in enumerate(table.lines):
        placed += line.row is not None
        record, mine = _record(line, table, placed)
        if printed:
            record["published"] = "; ".join(number(some.published.value, some.published.unit) for some in line.published)
        if remarks:
            record["remarks"] = text.visible(line.remarks)
        record |= line.cost if table.metric else {}
        if maps:
            record["map"] = line.row.map or "" if line.row else ""
        records.append(record | {"slot": line.slot})
        marks |= {(place, column): mark for column, mark in mine.items()}

    def opens(row: int, column: str) -> tuple[str, Mapping[str, state.Value]] | None:
        line = table.lines[row]
        if line.kind == "floor":
            return None
        if line.kind == "missing" or column in ("n", "remarks"):
            return "runs", {"benchmark": name, "method": line.method}
        return "method", {"method": line.method}

    tables.show(
        records,
        key="table",
        numbers=dict.fromkeys(("mean", "from", "to"), table.unit) | dict.fromkeys(("n", "rank", *(q.title for q in COSTS.values())), ""),
        columns={"rank": {"width": 65}, "mean": {"width": 80}, "from": {"width": 70}, "to": {"width": 70}, "n": {"width": 55}}
        | {name: {"width": tables.width(name, records)} for name in ("remarks", "slot")}
        | {"method": {"width": tables.width("method", records), "pinned": True}}
        | {quantity.title: {"label": quantity.heading, "help": quantity.title} for quantity in COSTS.values()},
        marks=marks,
        opens=opens,
        rows=22 if len(records) <= 25 else 14,  # below a chart that is as long
        boxes=False,
        alt_text=f"Methods on {name}",
    )
    st.caption(LEGEND + f"\n{CHOICE.capitalize()}" * bool(table.block[2].budget))
    tables.download(f"{name}.csv", partial(formats.csv_text, board.part(lambda block, _: block == table.block)))


def main() -> None:
    """Draw the page."""
    st.title("Benchmark")
    try:
        catalog = load_catalog()
    except HarnessError as error:
        text.told("error", "The registry cannot be read.", str(error))
        st.stop()
    name, table, board = _chosen(catalog)
    _about(catalog, name, table)
    if table is None:
        st.info("No trial of this benchmark was planned yet.")
    else:
        if table.differs:
            text.show(f"Run with: {text.visible(table.differs)}")
        if table.sentence:
            text.show(f"{table.leaders.sentence}\n{table.sentence}")
        _chart(table, state.values("method"))
        _table(table, board, name)
    benchmark_tabs.show(name, table, catalog.benchmarks.get(name))


main()
