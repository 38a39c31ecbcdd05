"""Regressions page: a baseline against now, worst first; and a metric over the versions of the code."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import changes, charts, reads, state, tables, text
from harness import paths
from harness.analysis import source
from harness.analysis.gate import reports
from harness.analysis.views import regressions as view
from harness.errors import HarnessError
from harness.store.url import results_folder

if TYPE_CHECKING:
    from harness.analysis.gate.outcome import Check

_DRAWN = 30
"""Entries in the chart."""

_MARKS = {"worse": "×", "incomparable": "≠", "missing": "·", "better": "✓", "new": "+", "same": "="}
"""Before a status, so that a column of them is read at a glance."""


def _baseline() -> None:
    files = reads.fresh(source.baselines)
    if not files:
        text.show("There is no baseline in `baselines` beside the database. This saves one of what is there now:")
        folder = results_folder(paths.default_database()) / "baselines"
        reads.command(f"harness baseline save {shlex.quote(str(folder / 'NAME.json'))}")
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    name = state.choice("Baseline", list(files), "baseline", place=left)
    costs = state.switch("Costs, too", "costs", place=right, help="Time, memory, parameters and operations of the same kind of device.")
    try:
        check = reads.cached_or_raise(source.checked, str(files[name]), files[name].stat().st_mtime_ns, costs=costs)
    except (HarnessError, OSError) as error:
        text.told("error", "The baseline cannot be compared.", str(error))
        return
    text.show(check.summary())
    _entries(check)
    if check.costs:
        _costs(check)
    for trial in check.failed:
        text.show(f"Failed: {trial.method} on {trial.benchmark}, seed {trial.seed}: {trial.reason}")
    for note in check.notes:
        text.show(f"Note: {note}")


def _entries(check: Check) -> None:
    places = st.columns([1.3, 1.6, 1.6, 1], vertical_alignment="bottom")
    counts = view.counts(check)
    status = state.choices("Status", list(counts), "state", place=places[0])
    benchmark = state.choices("Benchmark", [*dict.fromkeys(e.benchmark for e in check.entries)], "benchmark", place=places[1])
    method = state.choices("Method", sorted({e.method for e in check.entries}), "method", place=places[2])
    primary = state.switch("Primary metrics only", "primary", place=places[3])
    # what the baseline does not have would hide what it has
    known = status or [each for each in counts if each != "new"]
    lines = view.lines(check, status=known, benchmark=benchmark, method=method, primary=primary)
    if not status and "new" in counts:
        text.show(f'{counts["new"]} entries of its benchmarks that the baseline does not have are left out: the status "new" shows them.')
    if not lines:
        text.show("No entry passes these filters.")
        return
    changed = view.changed(lines)
    drawn = changed[:_DRAWN]
    if not drawn:
        text.show("None of these entries changed by anything that can be told as a multiple of what is allowed.")
    else:
        st.subheader(f"Change as a multiple of what is allowed{f', the worst {_DRAWN} of {len(changed)}' if len(changed) > _DRAWN else ''}")
        charts.show(changes.shares(drawn), key="shares", alt_text="Changes since the baseline, worst first")
        st.caption("Left of −1: worse. Right of 1: better. Between the two rules a change is no more than is allowed.")
    tables.show(
        [
            {
                "method": line.entry.method,
                "status": f"{_MARKS[line.entry.status]} {line.entry.status}",
                "now": line.now,
                "baseline": line.baseline,
                "change": line.entry.difference,
                "allowed": line.allowed,
                "metric": line.entry.metric + (f" ({line.entry.unit})" if line.entry.unit else ""),
                "benchmark": f"{line.entry.benchmark} v{line.entry.version}",
                "seeds": line.entry.shared or line.entry.n,
                "note": line.entry.reason or None,
            }
            for line in lines
        ],
        key="entries",
        numbers={"change": ""},
        marks={(row, "change"): tables.Mark(line.change) for row, line in enumerate(lines) if line.entry.difference is not None},
        opens=lambda row, _: ("regressions", {"tab": "History", **_of(lines[row])}),
        alt_text="Entries of the baseline and now, worst first",
    )
    st.caption(
        "A click on a row opens the history of its metric. Where the same trials were run again, baseline and now are over the seeds "
        "that both have."
    )


def _of(line: view.Line) -> dict[str, str]:
    return {"benchmark": line.entry.benchmark, "method": line.entry.method, "metric": line.entry.metric}


def _costs(check: Check) -> None:
    st.subheader("Costs")
    worst = sorted(check.costs, key=lambda cost: (not cost.worse, -cost.ratio))
    rows = [dict(zip(reports.COST_HEADER, cells, strict=True)) for cells in reports.cost_rows(worst)]
    records = [
        {"method": row["method"], "ratio": cost.ratio, "allowed": cost.allowed, "": "more" if cost.worse else None}
        | {name: row[name] for name in ("cost", "now", "baseline", "benchmark")}
        for row, cost in zip(rows, worst, strict=True)
    ]
    tables.show(records, key="costs", numbers={"ratio": "share", "allowed": "share"}, rows=10, alt_text="Costs now and in the baseline")


def _history() -> None:
    board = reads.board()
    benchmarks = [*dict.fromkeys(row.benchmark for row in board.rows)]
    if not benchmarks:
        text.show("No trial is done yet.")
        return
    places = st.columns(3)
    benchmark = state.choice("Benchmark", benchmarks, "benchmark", place=places[0])
    rows = reads.board(benchmarks=(benchmark,), metrics="whole").rows
    method = state.choice("Method", [*dict.fromkeys(row.method for row in rows)], "method", place=places[1])
    metrics = [*dict.fromkeys(row.metric for row in sorted(rows, key=lambda row: not row.primary))]
    metric = state.choice("Metric", metrics, "metric", place=places[2])
    history = reads.cached(source.history, benchmark, method, metric)
    steps = view.steps(history) if history else []
    if history is None or not steps:
        text.show("None of its trials is a version of the code: all were run with --set or --tune, or have no such number.")
        return
    spec = history.spec
    better = "higher" if spec.higher_is_better else "lower"
    title = f"{spec.metric}{f' ({spec.unit})' if spec.unit else ''}, {better} is better"
    charts.show(changes.history(steps, spec.unit, title), key="history", alt_text=f"{text.visible(title)} over versions of the code")
    st.caption(
        "Rings: seeds; points: their means, joined where versions may be held against each other. "
        "Dashed: the mean changed, found with a chance of 1 % in a series without a change."
    )
    if len(steps) == 1:
        text.show("There is one version so far: a change of the method's code, its entry or the harness's numerics adds the next.")
    for note in history.notes:
        text.show(note[0].upper() + note[1:])
    _versions(steps, spec.unit)


def _versions(steps: Sequence[view.Step], unit: str) -> None:
    newest = [*reversed(steps)]
    cells = [dict(zip(view.HEADER, row, strict=True)) for row in view.cells(newest, unit)]
    records = [
        {"version": row["version"], "mean": step.mean, "n": len(step.seeds)}
        | {name: row[name] or None for name in ("change", "seeds", "first run (UTC)", "revision", "what is other than before")}
        for step, row in zip(newest, cells, strict=True)
    ]
    tables.show(
        records,
        key="versions",
        numbers={"mean": unit},
        opens=lambda row, _: ("trial", {"trial": newest[row].seeds[0][2]}),
        alt_text="Versions of the code, newest first",
    )


def main() -> None:
    """Draw the page."""
    st.title("Regressions")
    state.tabs({"Baseline": _baseline, "History": _history})


main()
