"""Print tables and JSON, to a terminal or a pipe, always readable in 100 columns."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
"""Version of every JSON document the command line prints; raised when a field changes its meaning or goes."""

WIDTH = 100


def console(stderr: bool = False) -> Console:
    """A console that prints names as they are: no markup, no highlighting."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def finite(value: Any) -> Any:
    """``value`` with every float that JSON cannot hold (NaN, infinities) as ``None``."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document; its first key is the schema's version."""
    click.echo(json.dumps({"schema": SCHEMA, **finite(document)}, indent=2, ensure_ascii=False))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = (), fold: Sequence[str] = ()) -> None:
    """Print a table.

    Args:
        right: columns that are aligned to the right (numbers).
        fold: columns that may take several lines; the last one always may.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        whole = name not in (*fold, columns[-1])
        table.add_column(Text(name), justify="right" if name in right else "left", no_wrap=whole, overflow="ellipsis" if whole else "fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)
