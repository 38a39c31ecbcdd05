"""What pages read, kept until the database changes.

    board = reads.board()                                     # primary metrics of everything
    board = reads.board(benchmarks=("rooms",), metrics="whole")
    rows = reads.trials(states=("failed",))
    judged = reads.cached(source.claims)                      # any function whose first argument is the database's URL
    view = reads.cached(benchmark.view, "rooms", metric="top1")

One object is kept for each question and shared by all sessions, without a copy: nobody changes what is read. All of it is dropped
when :func:`harness.analysis.source.stamp` says that the store is another one; that is looked up at most every :data:`CHECKED`
seconds. Arguments are texts, numbers, tuples and the like. A database that cannot be read ends the page with a sentence.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import streamlit as st

from dashboard import text
from harness import paths
from harness.analysis import source
from harness.errors import HarnessError
from harness.remote import RemoteError
from harness.store.url import file_of, parse, shown

if TYPE_CHECKING:
    from harness.analysis.board import Board
    from harness.analysis.diagnostics import Diagnostic
    from harness.store import Metrics, Result, TrialRow

T = TypeVar("T")
P = ParamSpec("P")

CHECKED = 2.0
"""Seconds for which a stamp is believed."""

_MOST = 100
"""Answers of each function that are kept of a database, so that many small ones push out no leaderboard; the one not asked for longest
goes first."""


class _Shelf:
    """What was read of one database while its stamp was the same."""

    def __init__(self, url: str):
        self._url = url
        self._stamp, self._until = "", 0.0
        self._answers: dict[Callable[..., Any], OrderedDict[Any, Any]] = defaultdict(OrderedDict)
        self._lock = threading.RLock()  # re-entrant: what is read may read in turn

    def answer(self, function: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
        key = (arguments, tuple(sorted(named.items())))
        with self._lock:
            self._look()
            answers: OrderedDict[Any, T] = self._answers[function]
            if key in answers:
                answers.move_to_end(key)
            else:
                answers[key] = function(self._url, *arguments, **named)
                while len(answers) > _MOST:
                    answers.popitem(last=False)
            return answers[key]

    def _look(self) -> None:
        if time.monotonic() < self._until:
            return
        stamp = source.stamp(self._url)
        if stamp != self._stamp:
            self._answers.clear()
            self._stamp = stamp
        self._until = time.monotonic() + CHECKED


@st.cache_resource(show_spinner=False, max_entries=4)
def _shelf(url: str) -> _Shelf:
    return _Shelf(url)


def cached(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """``function(url, *arguments, **named)`` as long as the database is the same; ``function`` is one of a module, no lambda."""
    url = paths.default_database()
    return _or_stop(_shelf(url).answer, function, arguments, named)


def cached_or_raise(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """The same, but what cannot be read is for the page to tell.

    Raises:
        HarnessError: of the database, or of what else ``function`` reads.
    """
    return _shelf(paths.default_database()).answer(function, arguments, named)


def fresh(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """The same, read anew: for what a stamp does not tell, as whether a process lives."""
    return _or_stop(function, paths.default_database(), *arguments, **named)


def _or_stop(read: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    try:
        return read(*arguments, **named)
    except RemoteError as error:
        _tell_elsewhere(error)
        st.stop()
    except HarnessError as error:
        text.told("error", "The database cannot be read.", str(error))
        st.stop()


def _tell_elsewhere(error: RemoteError) -> None:
    text.told("error", "What trials left elsewhere cannot be read.", f"{error} Without HARNESS_ARTIFACTS the dashboard looks here only.")


@contextmanager
def telling_damage() -> Iterator[None]:
    """Where something fails that cannot fail on a sound database, say what is wrong with this one."""
    try:
        yield
    except RemoteError as error:
        _tell_elsewhere(error)
    except Exception:
        from harness.store.damage import damage

        if (told := damage(paths.default_database())) is None:
            raise
        text.told("error", "The database cannot be read.", told)


def board(*, all_versions: bool = False, metrics: Metrics = "primary", samples: bool = True, **filters: Collection[str] | None) -> Board:
    """The leaderboard, see :func:`harness.analysis.source.board`; filters are tuples of names."""
    return cached(source.board, all_versions=all_versions, metrics=metrics, samples=samples, **filters)


def trials(**filters: Collection[str] | None) -> list[TrialRow]:
    """Where every trial stands; whether those that run are alive is looked up each time."""
    rows = cached(source.trials, **filters)
    if not any(row.state == "running" for row in rows):
        return rows
    now = {row.digest: row for row in fresh(source.trials, **filters | {"states": ("running",)})}
    return [now.get(row.digest, row) if row.state == "running" else row for row in rows]


def counts(**filters: Collection[str] | None) -> dict[str, dict[str, int]]:
    """Benchmark -> state -> number of trials."""
    return cached(source.counts, **filters)


def results(*, metrics: Metrics = None, **filters: Collection[str] | None) -> list[Result]:
    """Trials that are done with their numbers; ask for few at a time."""
    return cached(source.results, metrics=metrics, **filters)


def trial(digest: str) -> tuple[TrialRow, Result | None] | None:
    """The trial whose digest begins like this and its result, or ``None`` and the reason on the page."""
    try:
        return _shelf(paths.default_database()).answer(source.trial, (digest,), {})
    except HarnessError as error:
        text.told("warning", "No such trial.", str(error))
        return None


def diagnostics(benchmark: str) -> list[Diagnostic]:
    """The diagnostics of a benchmark's methods as registered."""
    return cached(_diagnostics, benchmark)


def _diagnostics(url: str, benchmark: str) -> list[Diagnostic]:
    from harness.analysis.board import Board

    first, _ = source.board(url, benchmarks=[benchmark], metrics="primary").parted()
    return source.diagnostics(url, Board([row for rows in first for row in rows]))


def confusion(digests: Iterable[str]) -> Any:
    """What the models of some trials take for what, see :func:`harness.analysis.source.confusion`."""
    return cached(_confusion, tuple(digests))


def _confusion(url: str, digests: tuple[str, ...]) -> Any:
    return source.confusion(url, source.trials(url, digests=digests))


def database() -> str:
    """The database's address without its password."""
    url = paths.default_database()
    try:
        return shown(parse(url))
    except HarnessError:
        return url if url.startswith("sqlite:") else "a database whose address is wrong"


def command(*lines: str) -> None:
    """Commands of the harness that are about this database, to be copied."""
    parts = [line.partition("  #") for line in lines]
    here = f" --db {shlex.quote(database())}"
    text.code("\n".join("".join((what, here, *comment)) for what, *comment in parts), wrap_lines=True)


def name_database() -> None:
    """Name the database in the sidebar."""
    st.sidebar.caption("Database")
    st.sidebar.code(text.visible(database()), language=None, wrap_lines=True)


def ready() -> None:
    """Go on if there is a database with trials; otherwise say what is the matter and how to mend it, and end the page."""
    file = _or_stop(lambda: file_of(parse(paths.default_database())))
    if file is not None and not file.is_file():
        text.told("error", "There is no such database.", f"{database()}\n\nIf the name is right, this fills it:")
    elif counts():
        return
    else:
        text.told("info", "No results yet. This fills the database:")
    command("harness run -s quick")
    text.show("Or, in seconds, one of the leaderboards that come with the harness:")
    command("harness db import results/leaderboards/NAME.jsonl")
    st.stop()
