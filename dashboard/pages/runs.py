"""Runs page: how far runs are, where every trial stands, and why some failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import reads, state, tables, text
from harness import paths
from harness.analysis import artifacts, source
from harness.analysis.numbers import duration, moment
from harness.analysis.views import runs

if TYPE_CHECKING:
    from harness.analysis.views.runs import Failure
    from harness.store import TrialRow

_PAGE = 50
"""Trials that are seen at once."""

_EVERY, _SELDOM = 3, 10
"""Seconds between two looks, while trials run and while none does."""

_MOST = 5
"""Batches that are shown: those that run, then the newest."""

_DRAWN = "runs: totals"
"""In the session: the counts when the whole page was drawn last."""


def _failures(url: str) -> list[Failure]:
    return runs.failures(source.trials(url, states=["failed"]))


def _running() -> list[TrialRow]:
    return reads.fresh(source.trials, states=["running"])


def _now() -> None:
    """Counts and progress; drawn again every few seconds, and the whole page where a trial has begun or ended since."""
    lots, running = reads.cached(source.lots), _running()
    totals = runs.totals(lots, running)
    text.show(" · ".join(f"{totals[name]:,} {name}" for name in runs.STATES))
    found = runs.batches(lots, running, time.time())
    for batch in found[:_MOST]:
        told = f"{batch.ended} of {batch.total} trials"
        if batch.running:
            left = "" if batch.seconds_left is None else f", about {duration(batch.seconds_left)} left"
            told += f" · {len(batch.running)} running{left}"
        else:
            told += " · none is running; the same harness run goes on with them"
        failed = f" · {batch.counts['failed']} failed" if batch.counts["failed"] else ""
        text.show(f"Planned {moment(batch.created)} · {told}{failed}")
        st.progress(batch.ended / batch.total)
        if batch.running:
            _in_work(batch.running, batch.created)
    if len(found) > _MOST:
        text.show(f"{len(found) - _MOST} older batches are not finished either, and none of their trials is running.")
    if st.session_state.setdefault(_DRAWN, totals) != totals:
        st.rerun()


def _in_work(rows: tuple[TrialRow, ...], key: float) -> None:
    now, url = time.time(), paths.default_database()
    records = [
        {
            "method": row.method,
            "benchmark": row.benchmark,
            "seed": row.seed,
            "how far": runs.phase(artifacts.log_tail(url, row.digest)) or "begins",
            "for": duration(max(0.0, now - (row.started or now))),
            "expected": duration(row.expected),
        }
        for row in rows
    ]
    tables.show(
        records,
        key=f"running {key}",
        rows=8,
        opens=lambda place, _: ("trial", {"trial": rows[place].digest, "tab": "Log"}),
        alt_text="Trials that are being run",
    )


def _reasons(found: list[Failure]) -> None:
    st.subheader("Failures by reason")
    records = [
        {
            "trials": len(failure.rows),
            "reason": failure.reason,
            "kind": failure.kind,
            "methods": ", ".join(failure.methods),
            "benchmarks": ", ".join(failure.benchmarks),
            "last": moment(failure.rows[0].finished),
        }
        for failure in found
    ]
    tables.show(
        records,
        key="failures",
        rows=6,
        columns={"reason": {"width": "large"}},
        opens=lambda place, _: ("runs", {"state": "failed", "failure": found[place].key}),
        alt_text="Failures by reason",
    )


def _filters(running: list[TrialRow]) -> dict[str, Any]:
    """What the store is asked for, from what is chosen."""
    wanted = state.segments("State", ["all", *runs.STATES], "state")
    known = reads.counts()
    left, middle, right = st.columns(3)
    benchmarks = state.choices("Benchmark", [*known], "benchmark", place=left)
    methods = state.choices("Method", reads.cached(source.methods), "method", place=middle)
    words = state.words("Search", "q", place=right, help="Words in the digest, method, benchmark or reason.")
    filters: dict[str, Any] = {
        "benchmarks": tuple(benchmarks) or None,
        "methods": tuple(methods) or None,
        "words": tuple(words.split()) or None,
    }
    if wanted in ("running", "interrupted"):
        filters["digests"] = tuple(row.digest for row in running if runs.standing(row) == wanted)
    elif wanted != "all":
        filters["states"] = (wanted,)
    return filters


def _scores(rows: list[TrialRow]) -> dict[str, str]:
    """Digest -> the primary metric, of those that have one."""
    digests = tuple(row.digest for row in rows if row.state == "done")
    return reads.cached(source.primaries, digests=digests) if digests else {}


def _records(rows: list[TrialRow]) -> list[dict[str, Any]]:
    """Columns in which no row has anything are left out."""
    scores, settings = _scores(rows), runs.settings(rows, reads.cached(source.budgets))
    records = [
        {
            "method": row.method,
            "score": scores.get(row.digest, ""),
            "state": runs.standing(row),
            "benchmark": row.benchmark,
            "version": row.version,
            "seed": row.seed,
            "setting": settings.get(row.digest, ""),
            "--set": " ".join(row.overrides),
            "reason": row.reason or "",
            "for": row.purpose,
            "took (s)": row.seconds,
            "changed": moment(row.finished or row.started or row.created),
            "trial": row.digest,
        }
        for row in rows
    ]
    return [{name: value for name, value in record.items() if any(each[name] not in ("", None) for each in records)} for record in records]


def main() -> None:
    """Draw the page."""
    st.title("Runs")
    running = _running()
    alive = any(row.alive for row in running)
    st.session_state.pop(_DRAWN, None)
    st.fragment(_now, run_every=_EVERY if alive else _SELDOM)()
    failures = reads.cached(_failures)
    if failures:
        _reasons(failures)
    st.subheader("Trials")
    filters = _filters(running)
    if asked := state.value("failure"):
        chosen = next((failure for failure in failures if failure.key == asked), None)
        text.show(f"Only: {chosen.reason}" if chosen else "There is no failure of this kind any more.")
        filters["digests"] = tuple(row.digest for row in chosen.rows) if chosen else ()
        state.link("All reasons", "runs", state="failed")
    total = sum(sum(counts.values()) for counts in reads.cached(source.counts, **filters).values())
    first = _PAGE * state.page_number(-(-total // _PAGE))
    rows = reads.fresh(source.trials, page=(first, _PAGE), newest=True, **filters)
    if not rows:
        text.show("No trial is like that.")
        return
    text.show(f"{first + 1:,} to {first + len(rows):,} of {total:,}, the latest first")
    tables.show(
        _records(rows),
        key="trials",
        columns={"took (s)": st.column_config.NumberColumn(format="%.1f"), "reason": {"width": "medium"}, "state": {"width": 95}},
        opens=lambda place, _: ("trial", {"trial": rows[place].digest}),
        alt_text="Trials, the latest first",
    )


main()
