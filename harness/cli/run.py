"""``harness run``: evaluate methods on benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import print_rows
from harness.cli.planning import asked, selection

if TYPE_CHECKING:
    from harness.compose.plan import Plan
    from harness.engine.run import Summary


@click.command("run")
@selection
@options.how
@click.option("--launcher", default="local", show_default=True, metavar="NAME", help="Who starts the trials; packages may bring others.")
@click.option("--dry-run", is_flag=True, help="Only list the trials and their states.")
@click.option("--plan-only", is_flag=True, help="Only put the trials into the queue, for `harness worker`.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    launcher: str,
    dry_run: bool,
    plan_only: bool,
    **told: Any,
) -> None:
    """Run what is not done yet, then print its leaderboard.

    A trial is one method on one benchmark with one seed. Whatever is interrupted, by any means, is taken up
    again by the same command; what is done is never repeated. The exit code is 3 if a trial failed.

    \b
    harness run -s quick
    harness run -m gap -m simpool -b scenes-classification --seeds 3
    harness run -m simpool -b scenes-classification --set method.gamma=2 --set schedule.epochs=3
    harness run -b scenes-classification --plugin my_pool.py
    harness run -m gap -m simpool -b scenes-classification --seeds 5 --tune 8
    harness run --config my_segmenter.py -m identity -m gc-block
    harness run -s real --data-root ~/datasets --dry-run
    """
    from harness.cli import tuned
    from harness.cli.progress import watching
    from harness.engine.run import run_plan
    from harness.store.url import results_folder

    how = {name: told.pop(name) for name in options.HOW}
    wanted = asked(**told)
    if dry_run:
        if wanted.searches:
            tuned.dry_run(wanted.plan, wanted.searches, wanted.db, wanted.files)
        else:
            _table(wanted.plan, wanted.db)
        return
    wanted.prepare()
    if plan_only:
        click.echo(wanted.fill(), err=True)
        return
    plugins = {name for trial in wanted.plan.trials for name in trial.plugins}

    def go(some: Plan, phase: str) -> Summary:
        with watching(phase) as on_event:
            return run_plan(
                some,
                wanted.db,
                data_dirs=wanted.folders,
                notes={name: dataset.report for name, dataset in wanted.ready.items()},
                results_dir=results_folder(wanted.db),
                plugin_files=[file for file in wanted.files if plugins & set(file.names)],
                retry_failed=wanted.retry_failed,
                launch_by=launcher,
                on_event=on_event,
                **how,
            )

    ctx.exit(wanted.carry_out(go))


def _table(planned: Plan, db: str) -> None:
    from harness.analysis import source

    trials = planned.trials
    states = source.states(db, [trial.digest for trial in trials])
    cells = [[t.digest, t.benchmark, t.method, t.slot, t.seed, f"{t.cost:.0f}", states.get(t.digest, "planned")] for t in trials]
    print_rows(
        ["trial", "benchmark", "method", "slot", "seed", "~ s", "state"], cells, right=["seed", "~ s"], fold=["benchmark", "method", "slot"]
    )
    open_ones = [trial for trial in trials if states.get(trial.digest) != "done"]
    click.echo(
        f"{len(trials)} trials, {len(trials) - len(open_ones)} done; about {sum(t.cost for t in open_ones) / 60:.1f} min on one core left."
    )
