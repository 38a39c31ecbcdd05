"""``harness plugin``: write a plugin, and check that it keeps its slot's contract."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows


@click.group("plugin")
def command() -> None:
    """Write a plugin, and check that it keeps its slot's contract."""
