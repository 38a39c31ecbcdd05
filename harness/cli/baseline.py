"""``harness baseline``: keep results that a later regression check compares with."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import Group, options


@click.group("baseline", cls=Group)
def command() -> None:
    """Keep results for later regression checks."""


@command.command("save")
@click.argument("file", type=click.Path(path_type=Path))
@options.benchmarks
@options.family
@click.option(
    "--relative", type=click.FloatRange(min=0), default=0.05, show_default=True, help="Smallest tolerance, as a share of the mean."
)
@click.option("--tolerance", "tolerances", multiple=True, metavar="METRIC=VALUE", help="Tolerance of one metric, in its own unit.")
@options.database
def save(file: Path, benchmarks: tuple[str, ...], family: str | None, relative: float, tolerances: tuple[str, ...], db: str) -> None:
    """Write the leaderboard's means and tolerances to FILE.

    Each has a direction. The default tolerance is the larger of 2 s √(2/n), how far another n seeds may fall, and --relative.

    \b
    harness baseline save results/baselines/quick.json --tolerance top1=3
    """
    from harness import __version__
    from harness.analysis import baseline, source
    from harness.errors import HarnessError, UsageError
    from harness.files import write_whole

    chosen = dict(_tolerance(text) for text in tolerances)
    options.know(benchmarks, source.recorded_benchmarks(db))
    board = source.board(db, metrics="whole", benchmarks=benchmarks or None, families=[family] if family else None)
    entries = baseline.expect(board, relative=relative, tolerances=chosen)
    if not entries:
        nothing = HarnessError("no results to save in this database. Run something first, e.g. `harness run -s quick`.")
        nothing.exit_code = 4
        raise nothing
    unknown = set(chosen) - {entry.metric for entry in entries}
    if unknown:
        raise UsageError(f"--tolerance {min(unknown)}: no such metric here. Known: {', '.join(sorted({e.metric for e in entries}))}.")
    for rows in board.parted()[1]:
        where = f"{rows[0].benchmark} v{rows[0].version}"
        click.echo(
            f"note: {where}: results with {rows[0].differs} are not saved; those of the first block of the leaderboard are.", err=True
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, baseline.dump(entries, __version__), durable=True)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}.") from None
    click.echo(f"{len(entries)} entries saved. `harness check --baseline {file}` compares with them.")


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
