"""``harness baseline``: keep results that a later regression check compares with."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import Group, options
from harness.cli.output import write_file
from harness.texts import amount, one_line


@click.group("baseline", cls=Group)
def command() -> None:
    """Keep results for later regression checks."""


@command.command("save")
@click.argument("file", type=click.Path(path_type=Path))
@options.benchmarks
@options.family
@click.option(
    "--relative",
    type=options.Number(min=0),
    default=0.03,
    show_default=True,
    help="Smallest drop that means something, as a share of what a method is above the floor.",
)
@click.option("--tolerance", "tolerances", multiple=True, metavar="METRIC=VALUE", help="That drop for one metric, in its own unit.")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="How many seeds a check must have.  [default: all that are saved]")
@click.option(
    "--leave-out", is_flag=True, help="Leave out primary metrics that could not fail, and methods that lack seeds, instead of refusing."
)
@options.database
def save(
    file: Path,
    benchmarks: tuple[str, ...],
    family: str | None,
    relative: float,
    tolerances: tuple[str, ...],
    seeds: int | None,
    leave_out: bool,
    db: str,
) -> None:
    """Write what the leaderboard's methods reach to FILE, seed by seed.

    A metric is worse in a later check if it falls by more than a size that means something and by more than its seeds' noise. One
    whose fall to the floor would not be seen is no test: a primary metric is refused (exit code 2), any other left out. So is a method
    with fewer seeds than --seeds, or of which seeds failed or are still planned: the others say more than it reaches.
    More seeds than a check runs make a sharper baseline: run 10, save with --seeds 3, check with 3.

    \b
    harness baseline save results/baselines/quick.json --tolerance top1=3
    """
    from harness import __version__
    from harness.analysis import source
    from harness.analysis.gate import file as baseline_file
    from harness.analysis.gate.saving import expect, lacking, told
    from harness.errors import HarnessError, UsageError

    chosen = dict(_tolerance(text) for text in tolerances)
    options.know(benchmarks, source.recorded_benchmarks(db))
    board = source.board(db, metrics="whole", benchmarks=benchmarks or None, families=[family] if family else None)
    trials = {result.digest: result for result in source.results(db, digests={digest for row in board.rows for digest in row.digests})}
    lacks = lacking(board, seeds)
    baseline, unfailing = expect(board, trials, source.environments(db), relative=relative, tolerances=chosen, seeds=seeds, without=lacks)
    refused = [some for some in unfailing if some.entry.primary]
    if not baseline.entries and not refused and not lacks:
        nothing = HarnessError("no results to save in this database. Run something first, e.g. `harness run -s quick`.")
        nothing.exit_code = 4
        raise nothing
    metrics = {row.metric for row in board.rows}
    if unknown := set(chosen) - metrics:
        raise UsageError(f"--tolerance {min(unknown)}: no such metric here. Known: {', '.join(sorted(metrics))}.")
    if (refused or lacks) and not (leave_out and baseline.entries):
        for why, some in (("lacks seeds", lacks.values()), ("cannot fail", refused)):
            for each in some:
                click.echo(f"{why}: {each}", err=True)
        what = [f"{amount(len(lacks), 'method lacks', 'methods lack')} seeds"] * bool(lacks)
        what += [f"{amount(len(refused), 'primary metric')} could not fail"] * bool(refused)
        mend = "Run more seeds (--retry-failed where some failed), or leave them out with --leave-out."
        raise UsageError(f"{' and '.join(what)}, so nothing is saved. {mend}")
    for sentence in lacks.values():
        click.echo(f"left out, as it lacks seeds: {sentence}", err=True)
    for sentence in told(unfailing):
        click.echo(f"left out, as it could not fail: {sentence}", err=True)
    for rows in board.parted()[1]:
        where = f"{rows[0].benchmark} v{rows[0].version} · {rows[0].differs}"
        click.echo(f"note: {where}: not saved; the first block of the leaderboard is.", err=True)
    for rows in board.parted()[0]:
        for none in board.without(rows[0].block):
            click.echo(f"note: '{none.method}' on {none.benchmark} v{none.version} has no result and is not saved: {none.told}.", err=True)
    write_file(file, baseline_file.dump(baseline, __version__))
    click.echo(
        one_line(f"{amount(len(baseline.entries), 'entry', 'entries')} saved. `harness check --baseline {file}` compares with them.")
    )


def _tolerance(text: str) -> tuple[str, float]:
    import math

    from harness.errors import UsageError

    metric, found, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (metric and found and math.isfinite(number) and number >= 0):
        raise UsageError(f"--tolerance {text}: write METRIC=VALUE with a number of at least 0, e.g. top1=2.5.")
    return metric, number
