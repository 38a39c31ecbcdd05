"""The command line, called in this process from an empty folder."""

from __future__ import annotations

import pytest
from click.testing import CliRunner


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """``cli("list", "methods")`` -> click's result, with ``exit_code``, ``stdout`` and ``stderr``."""
    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args: object):
        return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="harness")

    return call


@pytest.fixture
def terminal(monkeypatch):
    """What ``cli`` prints goes to a terminal of 100 columns, as far as tables are concerned."""
    monkeypatch.setattr("harness.cli.output.terminal_width", lambda: 100)
