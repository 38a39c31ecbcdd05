"""Overview page: methods x benchmarks, who is best where, and what is missing."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import grid, reads, state, tables, text
from harness.analysis import formats
from harness.analysis.board import Board
from harness.analysis.views import overview
from harness.analysis.views.overview import Filters
from harness.texts import amount

LEGEND = """Means over seeds. **Bold**: cannot be told apart from the best (95 %, all pairs of a benchmark together), with an
interval of at most one and a half times the resolution. 2/3: of 3 seeds that were asked for 2 have a result. !: worse than the
floor, the trivial predictor. †: attention collapsed in at least one seed. ‡: run with `--set method.…`, not as registered. Mean rank:
over the benchmarks that all methods of a slot have, 1 is best, with its 95 % interval for other seeds. A click on a cell opens the
benchmark, or the trials that failed; one on a name the method."""


def _filters(board: Board) -> Filters:
    """What the widgets say, which is what the address says."""
    known = overview.options(board)
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    search = state.words("Search", "q", place=left, placeholder="Part of a method, slot or benchmark")
    with right.popover("Filters", width="stretch", icon=":material/filter_list:"):
        families = state.choices("Family", known.families, "family")
        tiers = state.choices("Tier", known.tiers, "tier")
        slots = state.choices("Slot", known.slots, "slot")
        benchmarks = state.choices("Benchmark", known.benchmarks, "benchmark")
        methods = state.choices("Method", known.methods, "method")
        seeds = state.number("Seeds, at least", "seeds", 0, max(known.seeds, 1))
    told = {"family": families, "tier": tiers, "slot": slots, "benchmark": benchmarks, "method": methods}
    words = [f"{name}: {', '.join(map(text.visible, some))}" for name, some in told.items() if some]
    words += [f"{seeds} seeds or more"] if seeds else []
    if words:
        text.show(" · ".join(words))
    return Filters(tuple(families), tuple(tiers), tuple(slots), tuple(methods), tuple(benchmarks), search, seeds)


def main() -> None:
    """Draw the page."""
    st.title("Overview")
    with st.sidebar:
        every = state.switch("Older versions", "versions")
        apart = state.switch("Other settings", "settings")
    board = reads.board(all_versions=every)
    shown = grid.read(_filters(board), every, apart)
    if not shown.lines:
        st.info("Nothing is left by these filters." if board.rows or board.missing else "No results yet.")
        return
    counted = f"{amount(len(shown.lines), 'method')} on {amount(len(shown.columns), 'benchmark')}"
    failed = sum(lacks.counts["failed"] for lacks in shown.failed)
    text.show(counted + (f" · {amount(failed, 'trial')} failed" if failed else ""))
    grid.show(shown)
    st.caption(LEGEND)
    left, right = st.columns(2)
    with left:
        tables.download("overview.csv", partial(formats.csv_text, shown.board))
    if failed:
        state.link("What failed", "runs", state="failed", place=right)
    if shown.notes:
        with st.expander(f"What is left out, and what is missing ({len(shown.notes)})"):
            for note in shown.notes:
                text.show(note)


main()
