"""``harness history``: a metric over the versions of the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from harness.analysis.history.versions import History


@click.command("history")
@click.option("-b", "--benchmark", required=True, metavar="BENCHMARK", help="Where it was measured.")
@click.option("-m", "--method", required=True, metavar="METHOD", help="What was measured.")
@click.option("--metric", metavar="METRIC", help="Which number.  [default: the benchmark's primary metric]")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Also write a picture; .png, .svg or .pdf.")
@options.as_json
@options.database
@click.pass_context
def command(ctx: click.Context, benchmark: str, method: str, metric: str | None, plot: Path | None, as_json: bool, db: str) -> None:
    """Show a metric over versions of the code, and where its mean changed.

    A version is what a trial's digest covers besides the seed: sources, options, data and the harness's numerics. Trials with --set
    or --tune are left out. Change points are those of the best partition into stretches of equal mean, with a chance of 1 % that a series
    without one shows any. The exit code is 4 if there is nothing to show.

    \b
    harness history -b scenes-classification -m simpool --plot simpool.png
    """
    from harness.analysis import source
    from harness.catalog import load_catalog
    from harness.errors import UsageError, did_you_mean, writing

    options.know((benchmark,), source.recorded_benchmarks(db))
    history = source.history(db, benchmark, method, metric)
    if history is None or not history.versions:
        known = set(load_catalog().methods)
        if method not in known and history is None:
            raise did_you_mean(method, known, "method", "harness list methods")
        click.echo(
            options.absent(db)
            or f"no results of {method} on {benchmark} that are numbers and without --set or --tune. "
            f"`harness run -m {method} -b {benchmark}` measures some.",
            err=True,
        )
        ctx.exit(4)
    if plot is not None:
        from harness.analysis.history.picture import draw

        try:
            with writing(plot):
                plot.parent.mkdir(parents=True, exist_ok=True)
                draw(history, plot)
        except ValueError as error:
            raise UsageError(f"cannot write {plot}: {error}.") from None
    if as_json:
        from harness.analysis.history.versions import as_json as plain

        print_json(plain(history))
    else:
        _show(history)


def _show(history: History) -> None:
    from harness.analysis.views import regressions

    unit = history.spec.unit
    click.echo(f"{history.method} on {history.benchmark}, {history.spec.metric} {unit}".rstrip() + f"  {history.sparkline()}")
    print_rows(regressions.HEADER, regressions.cells(regressions.steps(history), unit), right=["n", "mean"])
    for note in history.notes:
        click.echo(f"note: {note}", err=True)
