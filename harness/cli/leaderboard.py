"""``harness leaderboard``: what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import print_json, table_width
from harness.cli.published import show_published

if TYPE_CHECKING:
    from harness.analysis.board import Board
    from harness.analysis.diagnostics import Diagnostic


@click.command("leaderboard")
@options.benchmarks
@options.family
@click.option(
    "--slot", type=options.Name("slot"), metavar="SLOT", help="Only methods of this slot, e.g. pooling, compared among themselves."
)
@click.option(
    "-m", "--method", "methods", metavar="METHOD", multiple=True, help="Only this method; may be repeated: compared among themselves."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "md", "latex"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@click.option("--diagnostics", is_flag=True, help="Show what describes the attention itself instead of metrics and costs.")
@click.option("--per-class", is_flag=True, help="Show each class, scene or joint of each method.")
@click.option("--published", is_flag=True, help="Show what papers print of the same metrics, beside what was measured here.")
@click.option("--overall", is_flag=True, help="Show methods over several benchmarks: mean ranks, and scores between floor and best.")
@click.option(
    "--pareto",
    "costs",
    type=click.Choice(["params", "flops", "latency", "memory", "train-memory"]),
    multiple=True,
    help="Mark methods that no other beats in the primary metric and in this cost; may be repeated.",
)
@click.option("--all-versions", is_flag=True, help="Show older versions of a benchmark too.")
@click.option(
    "--interval",
    type=click.Choice(["moderated", "t"]),
    default="moderated",
    show_default=True,
    help="95 % interval of a mean over seeds: with strength borrowed from the other methods, or Student's t.",
)
@options.database
def command(
    benchmarks: tuple[str, ...],
    family: str | None,
    slot: str | None,
    methods: tuple[str, ...],
    form: str,
    diagnostics: bool,
    per_class: bool,
    published: bool,
    overall: bool,
    costs: tuple[str, ...],
    all_versions: bool,
    interval: str,
    db: str,
) -> None:
    """Show means with intervals, ranks, floors and costs.

    Methods are sorted by the benchmark's primary metric; those that share a letter cannot be told apart with the seeds
    that were run, and the line below the heading says what could be. Of one seed the interval is over test samples,
    marked s. n is 2/3 where a seed that was asked for has no result; a method without any stands last. Diagnostics
    (entropy, purity, distances, masses) are means over layers; as JSON and CSV they are given per layer and head too. JSON and CSV
    also have every class, scene and joint, which --per-class shows as tables.

    \b
    harness leaderboard -b scenes-classification
    harness leaderboard --family segmentation --format md > segmentation.md
    harness leaderboard -b rooms --diagnostics
    harness leaderboard -b digits -m gap -m gem -m simpool
    harness leaderboard -b camvid --per-class
    harness leaderboard --overall
    harness leaderboard -b scenes-classification --slot pooling --pareto flops
    """
    from harness.analysis import source
    from harness.errors import UsageError

    given = {"--overall": overall, "--diagnostics": diagnostics, "--per-class": per_class, "--published": published, "--pareto": costs}
    if len(several := [name for name, is_given in given.items() if is_given]) > 1:
        raise UsageError(f"{' and '.join(several)} are different tables. Ask for one at a time.")
    options.know(benchmarks, source.recorded_benchmarks(db))
    if asked := [*benchmarks] or [*methods] or [name for name in (family, slot) if name]:
        empty = f"no results for {' and '.join(asked)} yet. `harness run -m METHOD -b BENCHMARK` measures one."
    else:
        empty = "no results yet. `harness run -s quick` fills the leaderboard in minutes."
    empty = options.absent(db) or empty
    filters = {"benchmarks": benchmarks or None, "families": [family] if family else None, "slots": [slot] if slot else None}
    filters["methods"] = methods or None
    whole = diagnostics or overall or not (per_class or form in ("json", "csv"))  # other tables show no single scenes and classes
    board = source.board(
        db,
        metrics="whole" if whole else None,
        all_versions=all_versions,
        moderated=interval == "moderated",
        samples=not (diagnostics or overall or published),
        **filters,
    )
    options.know(methods, {row.method for row in board.rows}, "method")
    if per_class and form not in ("json", "csv"):
        _show_parts(board, form, empty)
    elif published:
        show_published(board, form, benchmarks, family)
    elif overall:
        _show_overall(board, form, empty)
    elif diagnostics:
        _show_diagnostics(board, source.diagnostics(db, board), form, all_versions, empty)
    else:
        show(board, form, all_versions, empty, [_COSTS[name] for name in costs])


_COSTS = {
    "params": "params",
    "flops": "flops",
    "latency": "latency_ms",
    "memory": "peak_memory_mb",
    "train-memory": "train_memory_mb",
}


def show(board: Board, form: str = "table", all_versions: bool = False, empty: str = "no results.", costs: Sequence[str] = ()) -> None:
    """Print a leaderboard; what is left out is said on stderr where the output is for programs.

    Args:
        empty: what to say of one without rows.
        costs: mark the front of the primary metric against these.
    """
    from harness.analysis import formats
    from harness.analysis.board_json import as_json

    if form in ("json", "csv", "latex"):
        _notes(board)
    if form == "json":
        print_json(as_json(board, all_versions, costs))
    elif form == "csv":
        click.echo(formats.csv_text(board, costs))
    elif not board.rows and not board.missing:
        click.echo(empty, err=True)
    elif form == "table":
        click.echo(formats.table(board, table_width(), costs))
    else:
        click.echo({"md": formats.markdown, "latex": formats.latex}[form](board, costs))


def _notes(board: Board) -> None:
    for note in board.notes:
        click.echo(f"note: {note}", err=True)


def _show_parts(board: Board, form: str, empty: str) -> None:
    from harness.analysis import part_tables

    _notes(board)
    text = (
        part_tables.table(board, table_width())
        if form == "table"
        else {"md": part_tables.markdown, "latex": part_tables.latex}[form](board)
    )
    if text:
        click.echo(text)
    else:
        click.echo("no metric of single classes, scenes or joints here." if board.rows else empty, err=True)


def _show_overall(board: Board, form: str, empty: str) -> None:
    from harness.analysis.overall import formats as overall_formats
    from harness.analysis.overall.summary import overall

    summary = overall(board)
    if form == "json":
        print_json(overall_formats.as_json(summary))
    elif not board.rows:
        click.echo(empty, err=True)
    elif not summary.tables and form == "table":
        click.echo("no table over benchmarks: it needs two methods of one slot with 2 seeds on two benchmarks.", err=True)
        for note in summary.notes:
            click.echo(f"note: {note}", err=True)
    elif form == "table":
        click.echo(overall_formats.table(summary, table_width()))
    else:
        click.echo(overall_formats.FORMATS[form](summary))


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
