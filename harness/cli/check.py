"""``harness check``: hold what was measured against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import failure, print_json, print_rows

if TYPE_CHECKING:
    from harness.analysis.regression import Check


@click.command("check")
@click.option(
    "--baseline", "file", required=True, type=click.Path(path_type=Path), metavar="FILE", help="What `harness baseline save` wrote."
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write JUnit XML, for CI servers.")
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Also write Markdown, for people.")
@options.as_json
@options.database
@click.pass_context
def command(ctx: click.Context, file: Path, junit: Path | None, markdown: Path | None, as_json: bool, db: str) -> None:
    """Compare with a baseline; the exit code is the verdict.

    0: nothing got worse by more than its tolerance. 1: something did. 2: the baseline or the usage is wrong.
    3: trials of the baseline failed or are missing, or were run on other data or in another setting. 4: nothing to compare.

    \b
    harness check --baseline results/baselines/quick.json --junit check.xml
    """
    from harness.analysis import baseline, check_reports, regression, source

    outcome = regression.check(baseline.load(file), source.board(db, all_versions=True), source.trials(db, purposes=[""]))
    for target, text in ((junit, check_reports.junit), (markdown, check_reports.markdown)):
        if target is not None:
            _write(target, text(outcome))
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        print_json(regression.as_json(outcome))
    else:
        _show(outcome)
    ctx.exit(outcome.exit_code)


def _show(outcome: Check) -> None:
    from harness.analysis import check_reports

    if some := check_reports.noteworthy(outcome):
        print_rows(
            check_reports.HEADER,
            check_reports.rows(some),
            right=["baseline", "now", "change", "allowed"],
            fold=["benchmark", "method", "metric"],
        )
    for trial in outcome.failed:
        click.echo(f"failed: {failure(trial, terminal=False)}")
    click.echo(outcome.summary())


def _write(file: Path, text: str) -> None:
    from harness.errors import UsageError

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}.") from None
