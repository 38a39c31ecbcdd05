"""How far a run is: a line per event in a file, a bar in a terminal."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

from harness.cli.progress import watching
from harness.engine.progress import Event, Progress

TRIAL = SimpleNamespace(method="gap[bold]", benchmark="tiny", seed=3, purpose="")


def events() -> list[Event]:
    progress = Progress(total=4, done=1, failed=1, running=2, seconds_left=200.0)
    return [
        Event("prepare", progress, message="generating tiny"),
        Event("started", progress, TRIAL),
        Event("failed", progress, TRIAL, "refuses to pool"),
        Event("tick", Progress(4, 3, 1, 0, None)),
    ]


def test_a_file_gets_a_line_for_what_ended(capsys):
    with watching() as tell:
        for event in events():
            tell(event)
    assert capsys.readouterr().err.splitlines() == [
        "generating tiny",
        "[2/4, about 3 min left] gap[bold] on tiny, seed 3: FAILED: refuses to pool",
    ]


def test_a_terminal_gets_a_bar_above_which_failures_stay(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with watching() as tell:
        for event in events():
            tell(event)
    text = terminal.getvalue()
    assert "gap[bold] on tiny, seed 3: FAILED: refuses to pool" in text, "names are text, not markup"
    assert all(shown in text for shown in ("generating tiny", "2/4", "2 running, about 3 min left", "4/4"))
