"""Compare page: two to five methods by their differences, over benchmarks, and sample by sample."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import altair as alt
import streamlit as st

from dashboard import charts, diagrams, reads, sampling, state, tables, text
from harness.analysis import source
from harness.analysis.board import Board
from harness.analysis.compare import Comparison
from harness.analysis.numbers import RANK, change, number, p_value, probability
from harness.analysis.settings import CHOICE
from harness.analysis.statistics import LEVEL
from harness.analysis.views import comparison as view

if TYPE_CHECKING:
    from harness.analysis.overall.across import Across
    from harness.analysis.overall.summary import Overall

_PANELS = 5
"""Benchmarks on one page of the differences of three methods or more."""

_LINES = 40
"""Benchmarks on one page of the differences of two."""

_ALL = ""

_PROPOSED = 12
"""Benchmarks whose two best methods are offered to begin with."""


def _pair(row: Comparison) -> str:
    return text.visible(f"{row.method_a} − {row.method_b}")


def _verdict(row: Comparison) -> str:
    """In a cell; the sentences stand below the table."""
    better = {"a": row.method_a, "b": row.method_b}.get(row.verdict)
    if better:
        return f"{better} better"
    return "not told apart" if row.verdict == "no difference shown" else row.verdict


def _metric(rows: Sequence[Comparison]) -> str:
    return " / ".join(dict.fromkeys(f"{row.metric} {row.unit}".strip() for row in rows))


def _differences(board: Board, methods: Sequence[str]) -> None:
    rows = reads.cached(sampling.compared, tuple(methods))
    if not rows:
        text.show("They share no benchmark and setting here. This makes some:")
        reads.command(f"harness run {' '.join(f'-m {shlex.quote(name)}' for name in methods)} -b BENCHMARK --seeds 5")
        return
    where = {each.name: each.where for each in view.shared(board, methods)}
    if len(where) > 1:
        asked = state.choice("Benchmark", [_ALL, *where], "benchmark", show=lambda name: where.get(name, "all"))
        rows = [row for row in rows if asked == _ALL or view.place(row) == where[asked]]
    if len(methods) == 2:
        text.show(f"first: {methods[0]}\nsecond: {methods[1]}\n{diagrams.VERDICTS}")
        page = state.page_number(-(-len(rows) // _LINES))
        shown = rows[page * _LINES : (page + 1) * _LINES]
        for place, panel in enumerate(view.panels(shown)):
            chart = diagrams.forest(panel, [view.place(row) for row in panel.rows], _metric(panel.rows))
            charts.show(chart, key=f"forest {place}", alt_text=f"differences of {_metric(panel.rows)} with 95 % intervals")
    else:
        text.show(diagrams.VERDICTS)
        blocks = [*dict.fromkeys(view.place(row) for row in rows)]
        page = state.page_number(-(-len(blocks) // _PANELS))
        for place, block in enumerate(blocks[page * _PANELS : (page + 1) * _PANELS]):
            (panel,) = view.panels(row for row in rows if view.place(row) == block)
            text.show(block)
            chart = diagrams.forest(panel, [_pair(row) for row in panel.rows], _metric(panel.rows))
            charts.show(chart, key=f"forest {place}", alt_text=f"differences on {block} with 95 % intervals")
    if len(rows) > 1:
        text.show("Each 95 % interval is of its row alone; verdicts hold for all rows together at 5 % (Holm), so fewer differ.")
    if any(row.tuned for row in rows):
        text.show(CHOICE.capitalize())
    _table(rows, several=len(methods) > 2)


def _table(rows: Sequence[Comparison], several: bool) -> None:
    records = [
        {
            **({"pair": _pair(row)} if several else {"benchmark": view.place(row)}),
            "difference": row.difference,
            "unit": row.unit,
            **({"benchmark": view.place(row)} if several else {}),
            "verdict": _verdict(row),
            "from": row.ci95[0] if row.ci95 else None,
            "to": row.ci95[1] if row.ci95 else None,
            "p": probability(row.p),
            "d": row.effect,
            "first": row.a,
            "second": row.b,
            "seeds": row.n,
            "samples": row.samples,
            "metric": row.metric,
        }
        for row in rows
    ]
    marks: dict[tuple[int, str], tables.Mark] = {}
    for line, row in enumerate(rows):
        low, high = row.ci95 or (None, None)
        told = {"difference": change(row.difference), "from": change(low), "to": change(high), "d": row.size}
        told |= {"first": number(row.a, row.unit), "second": number(row.b, row.unit)}
        marks |= {(line, name): tables.Mark(shown) for name, shown in told.items()}
    tables.show(
        records,
        key="differences",
        numbers=dict.fromkeys(("difference", "from", "to", "first", "second", "d"), ""),
        columns={
            "difference": "first − second",
            "verdict": "at 5 %, corrected by Holm for all rows together",
            "from": "95 % interval of the difference, of this row alone",
            "p": "corrected by Holm for all rows together",
            "d": "the difference in standard deviations: of one seed's value; with s, of the samples' differences",
            "samples": "test samples, where the interval is over seeds and samples",
        },
        marks=marks,
        opens=lambda row, _: ("benchmark", {"benchmark": rows[row].benchmark}),
        rows=15,
        alt_text="differences with verdicts",
    )
    with st.expander("Verdicts in words, and what more seeds would show"):
        text.show("\n".join(f"{view.place(row)}: {row.sentence}" for row in rows))
    tables.download("differences.csv", partial(view.csv_text, rows))


def _over_benchmarks(board: Board, methods: Sequence[str]) -> None:
    # scipy.stats behind them takes a second to import, which no other tab waits for
    from harness.analysis.overall.summary import overall

    summary = overall(board, methods)
    for note in summary.notes:
        text.show(f"Note: {note}")
    if not summary.tables:
        text.show("Ranks over benchmarks need two benchmarks or more on which all of these methods have 2 seeds, on one kind of device.")
        return
    for table in summary.tables:
        if len(summary.tables) > 1:
            st.subheader((table.budget or "as registered").capitalize())
        _over_benchmarks_of(table)


def _over_benchmarks_of(table: Overall) -> None:
    from harness.analysis.overall.across import across

    for note in table.notes:
        text.show(f"Note: {note}")
    differ = "They differ" if table.ranks.p < 1 - LEVEL else "No difference between them is shown"
    text.show(
        f"{len(table.methods)} methods over {len(table.benchmarks)} benchmarks{table.of_budget}. {differ} (Friedman, "
        f"{p_value(table.ranks.p)}); {table.ranks.nemenyi}. Methods beside one bar cannot be told apart."
    )
    charts.show(diagrams.ranks(table), key=f"ranks {table.budget}", alt_text="critical-difference diagram of mean ranks")
    _ranks(table)
    if pairs := across(table):
        _signed_ranks(pairs, table.budget)


def _ranks(table: Overall) -> None:
    wide = table.mean.benchmarks
    records = [
        {"method": method, "rank": float(table.mean.mean[index])}
        | dict(zip(("from", "to"), map(float, table.mean.seeds[index]), strict=True))
        | ({} if wide is None else dict(zip(("from (benchmarks)", "to (benchmarks)"), map(float, wide[index]), strict=True)))
        | {name: float(rank) for name, rank in zip(table.benchmarks, table.ranks.ranks[:, index], strict=True)}
        for index, method in enumerate(table.methods)
    ]
    tables.show(
        records,
        key=f"mean ranks {table.budget}",
        numbers=dict.fromkeys([*records[0]][1:], RANK),
        columns={
            "from": "95 % interval of the mean rank for other seeds on these benchmarks",
            "from (benchmarks)": "95 % interval for other benchmarks of their kind",
        },
        opens=lambda row, _: ("method", {"method": table.methods[row]}),
        alt_text="mean ranks, and ranks on each benchmark",
    )


def _signed_ranks(pairs: Sequence[Across], budget: str) -> None:
    from harness.analysis.overall.across import too_few

    if why := too_few(pairs):
        text.show(why)
        return
    text.show(f"Signed ranks over {pairs[0].benchmarks} benchmarks of one unit (Wilcoxon), p corrected by Holm for all pairs:")
    records = [{"pair": f"{pair.method_a} − {pair.method_b}", "p": probability(pair.p), "unit": pair.unit} for pair in pairs]
    tables.show(records, key=f"signed ranks {budget}", alt_text="signed ranks of pairs over benchmarks")


def _samples(board: Board, methods: Sequence[str]) -> None:
    blocks = {each.name: each for each in view.shared(board, methods)}
    if not blocks:
        text.show("They share no benchmark and setting here.")
        return
    left, middle, right = st.columns(3)
    rows = blocks[state.choice("Benchmark", [*blocks], "benchmark", show=lambda name: blocks[name].where, place=left)].rows
    pairs = {f"{a} {b}": (a, b) for a, b in combinations(rows, 2)}
    names = pairs[state.choice("First and second", [*pairs], "pair", show=lambda key: " − ".join(pairs[key]), place=middle)]
    a, b = (rows[name] for name in names)
    found = view.scores(a, b, reads.cached(source.per_sample, (*a.digests, *b.digests)))
    if not found:
        text.show("Scores of single samples are not stored for both, or their seeds or samples are not the same: nothing to pair.")
        return
    score = state.choice("Score", [some.score for some in found], "metric", place=right)
    some = next(each for each in found if each.score == score)
    dots = view.dots(some)
    if not dots:
        text.show("No sample has this score.")
        return
    marks, (first, alike, second) = diagrams.HIGHER, some.higher
    seeds = "1 seed" if len(some.seeds) == 1 else f"means over {len(some.seeds)} seeds"
    text.show(
        f"{len(some.a)} test samples, {seeds}. {marks['a']} {names[0]} scores higher on {first} · {marks['b']} {names[1]} on {second} · "
        f"{marks['']} both alike on {alike}."
        + {True: " Higher is better.", False: " Lower is better.", None: ""}[some.higher_is_better]
        + ("" if some.made else " The benchmark's primary metric is not the mean or median of these scores.")
    )
    furthest = view.furthest(some, sampling.FURTHEST)
    image = sampling.chosen(dots, furthest)
    images = sampling.images(a.benchmark, a.dataset, len(some.a))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        picked = alt.selection_point(name="picked", fields=["sample"])
        a_and_b = text.visible(names[0]), text.visible(names[1])
        sampling.clicked(diagrams.scatter(some, dots, a_and_b, image, picked))
    with right:
        sampling.largest(some, furthest, images)
    if image is not None:
        sampling.same_dot(dots, image, furthest, images)
        sampling.one(some, image, images, (a, b))


def _proposals(board: Board) -> None:
    """Where to begin."""
    text.show("Choose two methods or more, or begin with the two best of a benchmark:")
    for rows in board.parted()[0][:_PROPOSED]:
        best = [row for row in rows if row.primary][:2]
        if len(best) == 2:
            state.link(f"{best[0].benchmark}: {best[0].method} and {best[1].method}", "compare", method=[row.method for row in best])


def main() -> None:
    """Draw the page."""
    st.title("Compare")
    board = reads.board()
    known = [*dict.fromkeys(row.method for row in board.rows)]
    methods = state.choices("Methods, two to five", known, "method", max_selections=view.MOST)[: view.MOST]
    if len(methods) < 2:
        _proposals(board)
        return
    state.tabs(
        {
            "Differences": lambda: _differences(board, methods),
            "Over benchmarks": lambda: _over_benchmarks(board, methods),
            "Samples": lambda: _samples(board, methods),
        }
    )


main()
