"""What all pages share: the database, cached reads, the table of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from harness import paths
from harness.analysis import source
from harness.analysis.diagnostics import Diagnostic
from harness.analysis.leaderboard import Board, Row
from harness.analysis.numbers import NOTHING, limits, number, rank
from harness.analysis.standing import Standing
from harness.errors import HarnessError
from harness.outcome import COSTS

T = TypeVar("T")

REFRESH = 10
"""Seconds until a page reads the database again."""


@st.cache_resource(ttl=REFRESH, show_spinner=False)  # one object, which keeps what was once worked out of it
def _board(url: str, all_versions: bool) -> Board:
    return source.board(url, all_versions=all_versions, samples=True)


@st.cache_data(ttl=REFRESH, show_spinner=False)
def _trials(url: str) -> list[Any]:
    return source.trials(url)


def _or_stop(read: Callable[..., T], *arguments: Any) -> T:
    """What ``read`` returns; a database that cannot be read ends the page with the reason, as text."""
    try:
        return read(*arguments)
    except HarnessError as error:
        st.error("The database cannot be read.")
        st.text(str(error))
        st.stop()


def board(all_versions: bool = False) -> Board:
    """The leaderboard, at most ``REFRESH`` seconds old."""
    return _or_stop(_board, paths.default_database(), all_versions)


def trials() -> list[Any]:
    """Where every trial stands, at most ``REFRESH`` seconds old."""
    return _or_stop(_trials, paths.default_database())


@st.cache_data(ttl=REFRESH, show_spinner=False)
def _diagnostics(url: str, benchmark: str) -> list[Diagnostic]:
    first, _ = source.board(url, benchmarks=[benchmark]).parted()
    return source.diagnostics(url, Board([row for rows in first for row in rows]))


def diagnostics(benchmark: str) -> list[Diagnostic]:
    """The diagnostics of a benchmark's methods as registered, at most ``REFRESH`` seconds old."""
    return _or_stop(_diagnostics, paths.default_database(), benchmark)


@st.cache_data(ttl=REFRESH, show_spinner=False)
def _result(url: str, digest: str) -> Any:
    return source.trial(url, digest)[1]


def result(digest: str) -> Any:
    """The numbers of a trial, ``None`` unless it is done."""
    return _or_stop(_result, paths.default_database(), digest)


@st.cache_data(ttl=REFRESH, show_spinner=False)
def _confusion(url: str, digests: tuple[str, ...]) -> Any:
    return source.confusion(url, source.trials(url, digests=digests))


def confusion(row: Row) -> Any:
    """What a method's classifiers take for what and the classes, see :func:`harness.analysis.source.confusion`."""
    return _or_stop(_confusion, paths.default_database(), row.digests)


def intro() -> None:
    """Name the database in the sidebar."""
    st.sidebar.caption("Database")
    st.sidebar.code(paths.default_database(), language=None)


def empty() -> None:
    """Say how to fill an empty database, and end the page."""
    st.info("No results yet. Run the quick suite, then come back:")
    st.code("harness run -s quick", language="bash")
    st.stop()


def blocks(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may stand in one table: of one benchmark, version and setting."""
    return [[row for some in methods.values() for row in some] for methods in Board([*rows]).blocks().values()]


def name(row: Row) -> str:
    """Which block a row is of."""
    return f"{row.benchmark} (version {row.version}){f' · {row.differs}' if row.differs else ''}"


_OVER = {"moderated": "seeds", "t": "seeds (t)", "samples": "samples"}
"""What an interval is over; Student's is marked."""


def table(rows: Sequence[Row], standing: Standing | None = None) -> pd.DataFrame:
    """Leaderboard rows as a table for people; the floor of a benchmark is a row of its own.

    Args:
        standing: how the methods of the rows' block stand to each other; tells ranks and letters.
    """
    judged = standing is not None and standing.judged
    records = []
    floors: dict[tuple[str, str], Row] = {}
    for row in rows:
        floors.setdefault((row.benchmark, row.metric), row)
        records.append(
            {
                "benchmark": row.benchmark,
                **({"rank": rank(standing.ranks.get(row.method)) if row.primary else ""} if standing and judged else {}),
                "method": row.method,
                "slot": row.slot,
                "metric": row.metric,
                "unit": row.unit,
                "mean": number(row.mean, row.unit) + " †" * bool(row.collapsed and row.primary),
                "95 %": limits(row.ci95, row.unit),
                "over": _OVER[row.interval] if row.interval else "",
                **({"tied": standing.tied.get(row.method, NOTHING) if row.primary else ""} if standing and judged else {}),
                "seeds": row.n,
                "below floor": "below floor" if row.below_floor else "",
            }
            | {quantity.title: quantity.shown(getattr(row.cost, name)) for name, quantity in COSTS.items()}
            | ({"map": row.map} if row.map else {})
            | ({"attention": "collapsed"} if row.collapsed else {})
        )
    for (benchmark, metric), row in floors.items():
        if row.floor is not None:
            records.append(
                {"benchmark": benchmark, "method": "floor", "slot": "", "metric": metric, "unit": row.unit,
                 "mean": number(row.floor, row.unit), "below floor": ""}
            )  # fmt: skip
    return pd.DataFrame(records)
