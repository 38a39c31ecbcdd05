"""What ``harness run --tune`` says beside what every run says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.cli.output import failure, print_rows

if TYPE_CHECKING:
    from harness.catalog.plugins import PluginFile
    from harness.compose.plan import Plan
    from harness.compose.tuning import Search, Verdict
    from harness.engine.run import Summary


def verdicts(searches: list[Search], db: str) -> list[Verdict]:
    """What the trials that are done say about each search."""
    from harness.analysis import source

    metrics = {trial.digest: search.metric for search in searches for point in search.points for trial in point.trials}
    values = source.validations(db, metrics)
    return [search.judge(values) for search in searches]


def say(searches: list[Search], found: list[Verdict], tried: Summary) -> int:
    """Tell what was chosen and what has no value; returns how many searches have no winner."""
    from harness.analysis.numbers import number

    for row in tried.failed:
        click.echo(f"failed in tuning: {failure(row, terminal=sys.stderr.isatty())}", err=True)
    if tried.failed:
        click.echo(f"{len(tried.failed)} tuning trials failed and count as the worst; --retry-failed runs them again.", err=True)
    for search, verdict in zip(searches, found, strict=True):
        where = f"tuned {search.cell.method.id} on {search.cell.task.id}"
        if verdict.winner is None:
            click.echo(
                f"{where}: none of {len(search.points)} points has a value of {search.metric}, so it is not run. The failures above say "
                "why, or the dataset has no validation split.",
                err=True,
            )
            continue
        best, first = (number(verdict.means[index], search.primary.unit) for index in (verdict.winner, 0))
        chosen = " ".join(f"{key}={value}" for key, value in search.points[verdict.winner].values.items())
        compared = f"{search.metric} {best}{f', as registered {first}' if chosen else ''}"
        click.echo(f"{where}: {chosen or 'as registered'} ({compared})", err=True)
    return sum(verdict.winner is None for verdict in found)


def dry_run(planned: Plan, searches: list[Search], db: str, files: list[PluginFile]) -> None:
    """List the trials of both phases, the final ones as far as the winners are known."""
    from harness.analysis import source
    from harness.compose.tuning import final_plan, tuning_plan

    trials = tuning_plan(planned, searches).trials
    states = source.states(db, [trial.digest for trial in trials])
    over = {trial.digest for trial in trials if states.get(trial.digest) in ("done", "failed")}
    tried = [all(trial.digest in over for point in search.points for trial in point.trials) for search in searches]
    known = [search for search, whole in zip(searches, tried, strict=True) if whole]
    finals = final_plan(planned, known, verdicts(known, db), files).trials if known else []
    states |= source.states(db, [trial.digest for trial in finals])
    cells = [
        [
            trial.digest,
            trial.benchmark,
            trial.method,
            trial.seed,
            f"{trial.cost:.0f}",
            states.get(trial.digest, "planned"),
            "final" if not trial.purpose else " ".join(trial.overrides) or "as registered",
        ]
        for trial in [*trials, *finals]
    ]
    columns = ["trial", "benchmark", "method", "seed", "~ s", "state", "tried"]
    print_rows(columns, cells, right=["seed", "~ s"], fold=["benchmark", "method"])
    waiting = [search for search, whole in zip(searches, tried, strict=True) if not whole]
    left = sum(trial.cost for trial in trials if states.get(trial.digest) != "done") / 60
    click.echo(
        f"tuning: {len(trials)} trials ({searches[0].tune.trials} points for each of {len(searches)} methods on benchmarks), "
        f"{sum(states.get(trial.digest) == 'done' for trial in trials)} done; about {left:.1f} min on one core left."
    )
    left = sum(trial.cost for trial in finals if states.get(trial.digest) != "done")
    left += sum(search.cell.task.entry.cost * planned.seeds for search in waiting)
    click.echo(
        f"final: {len(finals) + len(waiting) * planned.seeds} trials, {sum(states.get(trial.digest) == 'done' for trial in finals)} done, "
        f"{len(waiting) * planned.seeds} wait for the tuning; about {left / 60:.1f} min on one core left."
    )
