"""``harness report``: what was measured, to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import json_text, left_out, write_file
from harness.cli.progress import waiting
from harness.texts import one_line

if TYPE_CHECKING:
    from harness.store import Imported


@click.command("report")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE]...")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="Folder of the files; it is made."
)
@options.benchmarks
@options.family
@click.option("--all-versions", is_flag=True, help="Show older versions of a benchmark too.")
@options.database
@options.artifacts
@click.pass_context
def command(
    ctx: click.Context, files: tuple[Path, ...], out: Path, benchmarks: tuple[str, ...], family: str | None, all_versions: bool, db: str
) -> None:
    """Write a page that anyone can open, and the tables of it.

    index.html is one file that needs no network and runs no script: ranks over benchmarks, leaderboards with their seeds, floors and
    costs, what papers claim, attention maps, and where the numbers come from. Beside it lie leaderboard.md, .tex (a document that
    compiles), .csv and .json. With FILES, exports as `harness publish` and `harness db export` write them, the report is of these
    and no database is read; pictures lie beside a database only.

    \b
    harness report --out report
    harness report --out public results/leaderboards/*.jsonl
    harness report --out rooms -b rooms
    """
    from contextlib import ExitStack

    from harness.analysis import source
    from harness.analysis.board_json import as_json
    from harness.errors import UsageError
    from harness.report import files as report

    if files and ctx.get_parameter_source("db") is click.core.ParameterSource.COMMANDLINE:
        raise UsageError("a report is of files or of a database: leave out --db, or the files.")
    with ExitStack() as stack:
        stack.enter_context(waiting("working out the report"))
        url = stack.enter_context(report.imported(files, _tell)) if files else db
        stack.enter_context(source.reading(url))  # the whole report is of one moment
        options.know(benchmarks, source.recorded_benchmarks(url))
        board = source.board(
            url, all_versions=all_versions, samples=True, benchmarks=benchmarks or None, families=[family] if family else None
        )
        if not board.rows and not board.missing:
            absent = "" if files else options.absent(db)
            click.echo(absent or "nothing to report yet. `harness run -s quick` measures something in minutes.", err=True)
            return
        texts = report.texts(url, board, json_text(as_json(board, all_versions)), family=family, benchmarks=benchmarks)
    for name, text in texts.items():
        write_file(out / name, text)
        click.echo(one_line(f"{out / name}: {len(text.encode()) / 1000:,.0f} kB"))


def _tell(file: Path, done: Imported) -> None:
    if done.others:
        click.echo(one_line(f"{file}: {left_out(done.others, 'in a file before it')} A report of its own can show these."), err=True)
