"""``harness worker``: run what others have planned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli import options
from harness.cli.output import failure
from harness.texts import one_line


@click.command("worker")
@options.database
@options.artifacts
@options.how
@options.benchmarks
@options.data_root
@options.plugin_files
@options.configs
@options.keep_weights
@click.option("--forever", is_flag=True, help="Wait for further trials when nothing is left.")
@click.option("--max-trials", type=click.IntRange(min=1), metavar="N", help="Begin N trials, then end.")
@click.option(
    "--for", "seconds", type=options.Span(), metavar="TIME", help="Begin no trial after TIME, e.g. 90s, 30m or 2h; finish what runs."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    db: str,
    benchmarks: tuple[str, ...],
    data_root: Path | None,
    plugins: tuple[Path, ...],
    configs: tuple[str, ...],
    keep: bool,
    forever: bool,
    max_trials: int | None,
    seconds: float | None,
    **how: Any,
) -> None:
    """Run the trials that wait in the database, until nothing is left.

    On any machine that has the same code and data and reaches the database: `harness run` or `harness run --plan-only` fills the queue,
    and any number of workers share it. A trial whose code, registry entry or data are others here is left to others, and the worker says
    so; a benchmark that is a config file is run by workers that name it. A trial that another worker runs is waited for, since it may be
    lost there. The exit code is 3 if a trial failed or is left to others.

    \b
    harness run -s quick --plan-only --db postgresql+psycopg://bench@db/harness
    harness worker --db postgresql+psycopg://bench@db/harness
    harness worker --forever --device cuda:1
    harness worker --for 2h -b scenes-classification
    """
    from harness.cli.progress import watching
    from harness.engine.worker import work
    from harness.store import open_store
    from harness.store.url import results_folder

    if benchmarks:
        options.know(benchmarks, set(open_store(db, create=False).counts()))
    with watching("worker") as on_event:
        worked = work(
            db,
            benchmarks=benchmarks,
            plugins=plugins,
            configs=configs,
            keep=keep,
            data_root=options.known_data_root(data_root),
            forever=forever,
            most=max_trials,
            seconds=seconds,
            say=lambda text: click.echo(one_line(text), err=True),
            on_event=on_event,
            results_dir=results_folder(db),
            **how,
        )
    for row in worked.failed:
        click.echo(f"failed: {failure(row, terminal=sys.stderr.isatty())}", err=True)
    for digest, reason in worked.unsaved.items():
        click.echo(one_line(f"not recorded: {digest}: {reason}"), err=True)
    left = f", {worked.refused} left to others" if worked.refused else ""
    click.echo(f"this worker finished {worked.done} trials, {len(worked.failed)} failed{left}.", err=True)
    ctx.exit(worked.exit_code)
