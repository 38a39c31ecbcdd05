"""Compare page: two to five methods, by their differences, over benchmarks, and sample by sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import altair as alt
import streamlit as st

from dashboard import charts, diagrams, reads, state, tables, text
from harness.analysis import compare, source, test_images
from harness.analysis.compare import Comparison
from harness.analysis.leaderboard import Board, Row
from harness.analysis.numbers import RANK, number, probability
from harness.analysis.overall.across import across
from harness.analysis.overall.summary import overall
from harness.analysis.statistics import LEVEL
from harness.analysis.tables import csv_table
from harness.analysis.test_images import TestSet
from harness.analysis.views import comparison as view
from harness.catalog import load_catalog
from harness.errors import HarnessError

_PANELS = 6  # Benchmarks on one page of the differences of three methods or more.

_LINES = 40  # Benchmarks on one page of the differences of two.

_FURTHEST = 12  # Samples in the list of those that two methods differ on most.

_IN_DOT = 200  # Samples of a dot that are offered.


def _compared(url: str, methods: tuple[str, ...]) -> list[Comparison]:
    board = source.board(url, metrics="primary", samples=True)
    return compare.compare(board, methods, lambda digests: source.per_sample(url, digests))


def _where(row: Comparison) -> str:
    return f"{row.benchmark} v{row.version}{f' · {row.differs}' if row.differs else ''}"


def _pair(row: Comparison) -> str:
    return f"{row.method_a} − {row.method_b}"


def _differences(methods: Sequence[str]) -> None:
    rows = reads.cached(_compared, tuple(methods))
    if not rows:
        st.text("They share no benchmark and setting here. This makes some:")
        st.code(f"harness run {' '.join(f'-m {name}' for name in methods)} -b BENCHMARK --seeds 5", language="bash", wrap_lines=True)
        return
    if len(methods) == 2:
        first, second = methods
        st.text(f"first: {first}\nsecond: {second}")
        for place, panel in enumerate(view.panels(rows)):
            metrics = " / ".join(dict.fromkeys(f"{row.metric} {row.unit}".strip() for row in panel.rows))
            page = state.page_number(-(-len(panel.rows) // _LINES)) if not place else 0
            shown = view.Panel(panel.unit, panel.higher_is_better, panel.rows[page * _LINES : (page + 1) * _LINES])
            chart = diagrams.forest(shown, [_where(row) for row in shown.rows], metrics)
            charts.show(chart, key=f"forest {place}", alt_text=f"differences of {metrics} with 95 % intervals")
    else:
        blocks = [*dict.fromkeys(_where(row) for row in rows)]
        page = state.page_number(-(-len(blocks) // _PANELS))
        for place, block in enumerate(blocks[page * _PANELS : (page + 1) * _PANELS]):
            mine = tuple(row for row in rows if _where(row) == block)
            st.text(block)
            panel = view.Panel(mine[0].unit, mine[0].higher_is_better, mine)
            chart = diagrams.forest(panel, [_pair(row) for row in mine], f"{mine[0].metric} {mine[0].unit}".strip())
            charts.show(chart, key=f"forest {place}", alt_text=f"differences on {block} with 95 % intervals")
    _table(rows, several=len(methods) > 2)


def _table(rows: Sequence[Comparison], several: bool) -> None:
    records = [
        {
            "benchmark": _where(row),
            **({"pair": _pair(row)} if several else {}),
            "difference": row.difference,
            "unit": row.unit,
            "verdict": row.sentence,
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
    signed = st.column_config.NumberColumn(format="%+.3g")
    tables.show(
        records,
        key="differences",
        numbers=dict.fromkeys(("first", "second", "d"), ""),
        columns={
            "difference": signed | {"help": "first − second"},
            "verdict": st.column_config.TextColumn(width="large", help="at 5 %, corrected by Holm for all rows together"),
            "from": signed | {"help": "95 % interval of the difference, of this row alone"},
            "to": signed,
            "p": "corrected by Holm for all rows together",
            "d": "the difference in standard deviations: over samples where they count, of one seed's value otherwise",
            "samples": "test samples, where the interval is over seeds and samples",
        },
        opens=lambda row, _: ("benchmark", {"benchmark": rows[row].benchmark}),
        alt_text="differences with verdicts",
    )
    plain = [row.plain() for row in rows]
    names = [name for name in plain[0] if name != "ci95"]
    body = [[*(record[name] for name in names), *(row.ci95 or ("", ""))] for record, row in zip(plain, rows, strict=True)]
    tables.download("differences.csv", csv_table([*names, "ci95_low", "ci95_high"], body))


def _over_benchmarks(board: Board, methods: Sequence[str]) -> None:
    summary = overall(board, methods)
    for note in summary.notes:
        st.text(f"Note: {note}")
    if not summary.tables:
        st.text("Ranks over benchmarks need two benchmarks or more on which all of these methods have 2 seeds, on one kind of device.")
        return
    (table,) = summary.tables
    differ = "They differ" if table.ranks.p < 0.05 else "No difference between them is shown"
    st.text(
        f"{len(table.methods)} methods over {len(table.benchmarks)} benchmarks. {differ} (Friedman, p = {probability(table.ranks.p)}); "
        f"mean ranks {number(table.ranks.critical_difference, RANK)} apart differ (Nemenyi). Methods beside one bar cannot be told apart."
    )
    charts.show(diagrams.ranks(table), key="ranks", alt_text="critical-difference diagram of mean ranks")
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
        key="ranks table",
        numbers=dict.fromkeys([*records[0]][1:], RANK),
        columns={"from": "95 % interval of the mean rank for other seeds on these benchmarks"},
        opens=lambda row, _: ("method", {"method": table.methods[row]}),
        alt_text="mean ranks",
    )
    pairs = across(table)
    needed = math.ceil(1 + math.log2(len(methods) * (len(methods) - 1) / (2 * (1 - LEVEL))))
    if pairs and pairs[0].benchmarks < needed:
        st.text(
            f"Signed ranks (Wilcoxon) tell {len(methods)} methods apart from {needed} benchmarks of one unit on; here are {pairs[0].benchmarks}."
        )
    elif pairs:
        st.text("Signed ranks over benchmarks of one unit (Wilcoxon), p corrected by Holm for all pairs:")
        signed = [
            {"first": pair.method_a, "second": pair.method_b, "p": probability(pair.p), "benchmarks": pair.benchmarks, "unit": pair.unit}
            for pair in pairs
        ]
        tables.show(signed, key="signed", alt_text="signed ranks")


@st.cache_resource(max_entries=8, show_spinner="Looking for the images…")
def _test_set(benchmark: str, dataset: str, count: int) -> TestSet | str:
    """The images, or the sentence that says why they are not here."""
    try:
        return test_images.find(load_catalog(), benchmark, dataset, count)
    except HarnessError as error:
        return str(error)


def _samples(board: Board, methods: Sequence[str]) -> None:
    blocks = view.shared(board, methods)
    if not blocks:
        st.text("They share no benchmark and setting here.")
        return
    left, middle, right = st.columns(3)
    where = state.choice("Benchmark", [*blocks], "benchmark", place=left)
    rows = blocks[where]
    pairs = {f"{a} {b}": (a, b) for a, b in combinations(rows, 2)}
    pair = pairs[state.choice("First and second", [*pairs], "pair", show=lambda key: " − ".join(pairs[key]), place=middle)]
    a, b = (rows[name] for name in pair)
    found = view.scores(a, b, reads.cached(source.per_sample, (*a.digests, *b.digests)))
    if not found:
        st.text("Scores of single samples are not stored for both, or their seeds or samples are not the same: nothing to pair.")
        return
    score = state.choice("Score", [some.score for some in found], "metric", place=right)
    some = next(each for each in found if each.score == score)
    dots = view.dots(some)
    if not dots:
        st.text("No sample has this score.")
        return
    first, alike, second = some.higher
    st.text(
        f"{len(some.a)} test samples, means over {len(some.seeds)} {'seed' if len(some.seeds) == 1 else 'seeds'}: {pair[0]} scores higher "
        f"on {first}, {pair[1]} on {second}, both alike on {alike}."
        + ("" if some.made else " The benchmark's primary metric is not the mean or median of these scores.")
    )
    furthest = view.furthest(some, _FURTHEST)
    image = _image(dots, furthest)
    images = _test_set(a.benchmark, a.dataset, len(some.a))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _scatter(some, dots, pair, image)
    with right:
        _furthest(some, furthest, images)
    if image is not None:
        offered = [*dict.fromkeys((image, *next(dot.samples for dot in dots if image in dot.samples)[:_IN_DOT]))]
        if len(offered) > 1:
            names = {} if isinstance(images, str) else images.names
            first_asked = furthest[0] if furthest else -1  # what is shown where the address names none
            state.choice(
                "Image, of those that score alike",
                offered,
                "image",
                default=first_asked,
                show=lambda sample: f"{sample} · {names[sample]}" if names else str(sample),
            )
        _one(some, image, images, (a, b))


def _image(dots: Sequence[view.Dot], furthest: Sequence[int]) -> int | None:
    """The sample that the address names, the one that differs most where it names none."""
    asked = state.value("image")
    if not asked:
        return furthest[0] if furthest else None
    if asked.isascii() and asked.isdigit() and len(asked) < 10 and any(int(asked) in dot.samples for dot in dots):
        return int(asked)
    st.text(f"Image: there is no {text.visible(asked)!r} with this score here.")
    return None


def _look_at(sample: int) -> None:
    st.session_state["compare: clicks"] = st.session_state.get("compare: clicks", 0) + 1
    st.query_params["image"] = str(sample)
    st.rerun()


def _scatter(some: view.Scores, dots: Sequence[view.Dot], pair: tuple[str, str], image: int | None) -> None:
    picked = alt.selection_point(name="picked", fields=["sample"])
    chart = diagrams.scatter(some, dots, pair, image, picked)
    # a chart that was clicked is another one when it is drawn again: it would still hold the click
    key = f"scatter {st.session_state.get('compare: clicks', 0)}"
    drawn = st.altair_chart(
        chart, width="stretch", key=key, on_select="rerun", selection_mode="picked", alt="scores of both methods by sample"
    )
    if clicked := drawn["selection"].get("picked"):
        _look_at(int(clicked[0]["sample"]))


def _furthest(some: view.Scores, furthest: Sequence[int], images: TestSet | str) -> None:
    if not furthest:
        return
    st.text("Largest differences; a click shows the image")
    records = [
        {
            "sample": sample,
            "first": float(some.a[sample]),
            "second": float(some.b[sample]),
            "name": None if isinstance(images, str) else images.names[sample],
        }
        for sample in furthest
    ]
    tables.show(
        records,
        key="furthest",
        numbers=dict.fromkeys(("first", "second"), some.unit),
        columns={"sample": st.column_config.NumberColumn(format="%d")},
        opens=lambda row, _: ("compare", _here() | {"image": furthest[row]}),
        rows=9,
        alt_text="samples with the largest differences",
    )


def _here() -> dict[str, state.Value]:
    return {name: state.values(name) for name in st.query_params}


def _one(some: view.Scores, image: int, images: TestSet | str, rows: tuple[Row, Row]) -> None:
    """An image, and what both methods make of it."""
    columns = st.columns([2, 3, 3], gap="medium")
    with columns[0]:
        _truth(image, images)
    for side, (column, row) in enumerate(zip(columns[1:], rows, strict=True)):
        with column:
            st.text(row.method)
            _answers(some, image, side, images)
            _maps(row, some.seeds, image)


def _truth(image: int, images: TestSet | str) -> None:
    if isinstance(images, str):
        st.text(f"The image cannot be shown: {images}")
        return
    try:
        sample = images.sample(image)
    except HarnessError as error:
        st.text(str(error))
        return
    st.image(sample.annotated)
    st.text(sample.name + (f"\n{sample.caption}" if sample.caption and sample.caption not in sample.name else ""))


def _answers(some: view.Scores, image: int, side: int, images: TestSet | str) -> None:
    """Seed by seed: the score, and what a classifier took the image for."""
    values = (some.of_a, some.of_b)[side][:, image]
    records: list[dict[str, object]] = [{"seed": seed, "score": float(value)} for seed, value in zip(some.seeds, values, strict=True)]
    if some.guesses is not None:
        classes = getattr(getattr(images, "listing", None), "classes", ())
        for record, guess in zip(records, some.guesses[side][:, image], strict=True):
            record["taken for"] = _class(guess, classes)
    key = f"answers {side}"
    tables.show(
        records, key=key, numbers={"score": some.unit}, columns={"seed": st.column_config.NumberColumn(format="%d")}, rows=5, alt_text=key
    )


def _class(guess: float, classes: Sequence[str]) -> str | None:
    if not math.isfinite(guess):
        return None
    return classes[int(guess)] if 0 <= guess < len(classes) else f"class {int(guess)}"


def _maps(row: Row, seeds: Sequence[int], image: int) -> None: ...


def main() -> None:
    """Draw the page."""
    st.title("Compare")
    board = reads.board()
    known = [*dict.fromkeys(row.method for row in board.rows)]
    methods = state.choices("Methods, two to five", known, "method", max_selections=view.MOST)
    if len(methods) < 2:
        _proposals(board)
        return
    state.tabs(
        {
            "Differences": lambda: _differences(methods),
            "Over benchmarks": lambda: _over_benchmarks(board, methods),
            "Samples": lambda: _samples(board, methods),
        }
    )


def _proposals(board: Board) -> None:
    """Where to begin: the two best of each benchmark."""
    st.text("Choose two methods or more, or begin with the two best of a benchmark:")
    for rows in board.parted()[0][:12]:
        primary = [row for row in rows if row.primary][:2]
        if len(primary) == 2:
            first, second = (row.method for row in primary)
            state.link(f"{primary[0].benchmark}: {first} and {second}", "compare", method=[first, second])


main()
