"""Show how far a run is: a bar with the time left on a terminal, a line per trial elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from harness.analysis.numbers import duration
from harness.texts import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from harness.engine.progress import Event

_SAID = {"started": "runs", "done": "done", "failed": "FAILED", "again": "once more", "waiting": "waits", "warning": "warning"}


@contextmanager
def watching(phase: str = "") -> Iterator[Callable[[Event], None]]:
    """A function for ``run_plan(on_event=...)``; it draws without a thread, since trials are forked from here.

    Args:
        phase: which part of a longer run this is.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda event: _quietly(_line, event, phase)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)  # names are shown as they are
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as bar:
        task = bar.add_task(phase or "trials", total=None, left="")
        yield lambda event: _quietly(_draw, bar, task, event, phase or "trials")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """On a terminal, what is being done beside something that moves: for work of some seconds whose parts are not counted."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True, markup=False, highlight=False, emoji=False).status(what):
        yield


def _quietly(tell: Callable[..., None], *what: Any) -> None:
    """No run ends because it cannot be watched any more: a full disk, a terminal that was closed."""
    with suppress(OSError):
        tell(*what)


def _sentence(event: Event) -> str:
    what = ""
    if trial := event.trial:
        tried = f"{' '.join(trial.overrides) or 'as registered'}, " if trial.purpose else ""
        what = f"{trial.method} on {trial.benchmark}, {tried}seed {trial.seed}: "
    return one_line(f"{what}{_SAID.get(event.kind, event.kind)}{f': {event.message}' if event.message else ''}")


def _line(event: Event, phase: str) -> None:
    progress = event.progress
    if event.kind == "prepare":
        click.echo(event.message, err=True)
    elif event.kind in ("done", "failed", "again", "waiting", "warning"):
        left = f", about {duration(progress.seconds_left)} left" if progress.seconds_left else ""
        before = f"{phase} " if phase else ""
        click.echo(f"[{before}{progress.done + progress.failed}/{progress.total}{left}] {_sentence(event)}", err=True)


def _draw(bar: Bar, task: TaskID, event: Event, phase: str) -> None:
    progress = event.progress
    left = f"{progress.running} running" + (f", about {duration(progress.seconds_left)} left" if progress.seconds_left else "")
    if event.kind in ("failed", "again", "waiting", "warning"):
        bar.console.print(_sentence(event), markup=False)
    description = event.message if event.kind == "prepare" else phase
    bar.update(task, total=progress.total, completed=progress.done + progress.failed, description=description, left=left)
    bar.refresh()
