"""``harness leaderboard``: what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import print_json, table_width

if TYPE_CHECKING:
    from harness.analysis.diagnostics import Diagnostic
    from harness.analysis.leaderboard import Board


@click.command("leaderboard")
@options.benchmarks
@options.family
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "md", "latex"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@click.option("--diagnostics", is_flag=True, help="Show what describes the attention itself instead of metrics and costs.")
@click.option("--all-versions", is_flag=True, help="Show older versions of a benchmark too.")
@options.database
def command(benchmarks: tuple[str, ...], family: str | None, form: str, diagnostics: bool, all_versions: bool, db: str) -> None:
    """Show means with intervals, floors and costs.

    Methods are sorted by the benchmark's primary metric. An interval needs at least two seeds. Diagnostics (entropy,
    purity, distances, masses) are means over layers; as JSON and CSV they are given per layer and head too.

    \b
    harness leaderboard -b scenes-classification
    harness leaderboard --family segmentation --format md > segmentation.md
    harness leaderboard -b rooms --diagnostics
    """
    from harness.analysis import source

    options.know(benchmarks, source.recorded_benchmarks(db))
    if benchmarks or family:
        empty = f"no results for {' and '.join(benchmarks) or family} yet. `harness run -m METHOD -b BENCHMARK` measures one."
    else:
        empty = "no results yet. `harness run -s quick` fills the leaderboard in minutes."
    filters = {"benchmarks": benchmarks or None, "families": [family] if family else None}
    whole = diagnostics or form not in ("json", "csv")  # other tables show no single scenes and classes
    board = source.board(db, metrics="whole" if whole else None, all_versions=all_versions, **filters)
    if diagnostics:
        _show_diagnostics(board, source.diagnostics(db, board), form, all_versions, empty)
    else:
        show(board, form, all_versions, empty)


def show(board: Board, form: str = "table", all_versions: bool = False, empty: str = "no results.") -> None:
    """Print a leaderboard; what is left out is said on stderr where the output is for programs.

    Args:
        empty: what to say of one without rows.
    """
    from harness.analysis import formats
    from harness.analysis.leaderboard import as_json

    if form in ("json", "csv", "latex"):
        _notes(board)
    if form == "json":
        print_json(as_json(board, all_versions))
    elif form == "csv":
        click.echo(formats.csv_text(board))
    elif not board.rows:
        click.echo(empty, err=True)
    elif form == "table":
        click.echo(formats.table(board, table_width()))
    else:
        click.echo({"md": formats.markdown, "latex": formats.latex}[form](board))


def _notes(board: Board) -> None:
    for note in board.notes:
        click.echo(f"note: {note}", err=True)


def _show_diagnostics(board: Board, rows: list[Diagnostic], form: str, all_versions: bool, empty: str) -> None:
    from harness.analysis import diagnostic_tables, diagnostics

    _notes(board)
    if form == "json":
        print_json(diagnostics.as_json(rows, all_versions))
    elif not rows and form != "csv":
        click.echo("no diagnostics: none of these methods offers queries, keys or a map." if board.rows else empty, err=True)
    elif form == "table":
        click.echo(diagnostic_tables.table(rows, table_width()))
    else:
        click.echo(diagnostic_tables.FORMATS[form](rows))
