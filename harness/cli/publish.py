"""``harness publish``: leaderboards as files."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.texts import one_line


@click.command("publish")
@options.benchmarks
@options.family
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/leaderboards"),
    show_default=True,
    help="Folder of the files.",
)
@options.database
def command(benchmarks: tuple[str, ...], family: str | None, out: Path, db: str) -> None:
    """Write leaderboards to files that can be committed.

    A benchmark gets two: BENCHMARK.md, the board, and BENCHMARK.jsonl, the trials behind it (every seed's metrics, costs, config,
    sources of plugins and environment; no scores of single samples), from which the board can be drawn again. What the folder holds
    already is kept: parts may come from several machines. Results of another device go into a folder of their own.

    \b
    harness publish
    harness publish -b rooms --out boards
    """
    from harness.analysis import publish, source

    options.know(benchmarks, source.recorded_benchmarks(db))
    done = publish.publish(db, out, benchmarks, [family] if family else [])
    for one in done:
        click.echo(one_line(f"{out / one.benchmark}.md: {one.methods} methods, {one.trials} trials ({one.new} new), {one.hours:.1f} h"))
        if one.kept:
            click.echo(
                one_line(
                    f"{out / one.benchmark}.jsonl keeps its own numbers of {one.kept} trials: this database has others, of another "
                    "machine or run. Another folder (--out) can have these."
                ),
                err=True,
            )
    if not done:
        click.echo("nothing to publish yet. `harness run -s quick` measures something in minutes.", err=True)
