"""``harness check``: hold what was measured against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import failure, print_json, print_rows, write_file

if TYPE_CHECKING:
    from harness.analysis.gate.calibration import Calibration
    from harness.analysis.gate.outcome import Check


@click.command("check")
@click.option(
    "--baseline", "file", required=True, type=click.Path(path_type=Path), metavar="FILE", help="What `harness baseline save` wrote."
)
@click.option("--costs", is_flag=True, help="Also judge time, memory, parameters and operations.")
@click.option(
    "--calibrate",
    type=click.IntRange(min=100),
    is_flag=False,
    flag_value=400,
    metavar="[N]",
    help="Say instead what the baseline is good for: false alarms in N repeats (400), and the smallest drop each entry catches.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write JUnit XML, for CI servers.")
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Also write Markdown, for a pull request.")
@options.as_json
@options.database
@click.pass_context
def command(
    ctx: click.Context,
    file: Path,
    costs: bool,
    calibrate: int | None,
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
    db: str,
) -> None:
    """Compare with a baseline; the exit code is the verdict.

    A metric is worse if it fell by more than a size that means something and by more than its seeds' noise (docs/ci.md).

    0: nothing got worse. 1: something did. 2: the baseline or the usage is wrong. 3: trials of the baseline failed or are missing,
    or were run on other data, in another setting or by other sources than those here. 4: nothing to compare.

    \b
    harness check --baseline results/baselines/quick.json --junit check.xml
    harness check --baseline results/baselines/quick.json --calibrate
    """
    from harness.analysis import source
    from harness.analysis.gate import calibration, reports
    from harness.analysis.gate import file as baseline_file
    from harness.errors import UsageError

    if calibrate is not None:
        beside = {"--costs": costs, "--junit": junit, "--markdown": markdown}
        if unused := [name for name, given in beside.items() if given]:
            raise UsageError(f"--calibrate compares nothing with the baseline. Leave out {' and '.join(unused)}.")
    baseline = baseline_file.load(file)
    if calibrate is not None:
        if not any(entry.values for entry in baseline.entries):
            raise UsageError(f"the baseline {file} keeps no values of single seeds. `harness baseline save` writes one that does.")
        found = calibration.calibrate(baseline.entries, source.board(db, all_versions=True, metrics="whole"), calibrate)
        print_json(calibration.as_json(found)) if as_json else _show_calibration(found)
        return
    outcome = source.check(db, baseline, costs=costs)
    for target, text in ((junit, reports.junit), (markdown, reports.markdown)):
        if target is not None:
            write_file(target, text(outcome))
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        print_json(reports.as_json(outcome))
    else:
        _show(outcome)
    ctx.exit(outcome.exit_code)


def _show(outcome: Check) -> None:
    from harness.analysis.gate import costs, reports

    if some := reports.noteworthy(outcome):
        print_rows(
            reports.HEADER,
            reports.rows(some),
            right=["baseline", "now", "change", "allowed"],
            fold=["benchmark", "method", "metric"],
        )
    if dearer := costs.more(outcome.costs):
        print_rows(
            reports.COST_HEADER, reports.cost_rows(dearer), right=["baseline", "now", "ratio", "allowed"], fold=["benchmark", "method"]
        )
    for trial in outcome.failed:
        click.echo(f"failed: {failure(trial, terminal=False)}")
    for line in reports.by_benchmark(outcome):
        click.echo(line)
    click.echo(outcome.summary())


def _show_calibration(found: Calibration) -> None:
    from harness.analysis.numbers import number

    rows = [
        [
            f"{entry.benchmark} v{entry.version}",
            entry.method,
            f"{entry.metric} {entry.unit}".strip(),
            number(entry.mean, entry.unit),
            number(entry.allowed, entry.unit),
            number(entry.detectable, entry.unit),
            number(entry.to_lose, entry.unit),
            "-" if entry.caught is None else f"{100 * entry.caught:.0f} %",
        ]
        for entry in found.entries
    ]
    header = ["benchmark", "method", "metric", "baseline", "allowed", "caught from", "to lose", "5 points"]
    print_rows(header, rows, right=header[3:], fold=header[:3])
    click.echo("allowed: no regression yet; caught from: with a chance of 80 %; 5 points: the chance that a loss of 5 is caught.")
    for rate, how in ((found.simulated, "simulated from the baseline's seeds"), (found.resampled, "with seeds drawn from the database")):
        if rate is not None:
            low, high = (100 * limit for limit in rate.interval)
            click.echo(
                f"false alarms of the whole check, {how} ({rate.entries} entries): "
                f"{100 * rate.rate:.1f} % of {rate.repeats} repeats ({low:.1f} to {high:.1f} %)"
            )
