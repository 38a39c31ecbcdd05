"""``harness leaderboard --published``: what papers print, beside what was measured here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from harness.analysis.board import Board


def show_published(board: Board, form: str, benchmarks: tuple[str, ...], family: str | None) -> None:
    """Print the published numbers of some benchmarks, or all, in one of the leaderboard's formats."""
    from harness.analysis.claims import published
    from harness.catalog import load_catalog

    catalog = load_catalog()
    wanted = [name for name in benchmarks or catalog.published if name in catalog.published]
    chosen = [name for name in wanted if family in (None, catalog.benchmarks[name].family)]
    rows = published.beside(catalog, board, published.load(), chosen)
    if form == "json":
        print_json({"rows": [row.plain() for row in rows]})
    elif not rows:
        click.echo("no published numbers of these benchmarks.", err=True)
    elif form == "table":
        print_rows(published.HEADER, published.cells(rows), fold=["method", "metric", "where"])
    else:
        click.echo(published.written(rows, form))
