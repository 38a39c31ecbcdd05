"""``harness run``: evaluate methods on benchmarks."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.cli import options
from harness.cli.output import failure, print_rows
from harness.texts import one_line

if TYPE_CHECKING:
    from harness.compose.plan import Plan
    from harness.engine.run import Summary


@click.command("run")
@click.option("-s", "--suite", metavar="SUITE", help="A named list of methods and benchmarks, e.g. quick.")
@click.option("-m", "--method", "methods", multiple=True, metavar="METHOD", help="A method; may be repeated. Replaces the suite's methods.")
@click.option(
    "-b", "--benchmark", "benchmarks", multiple=True, metavar="BENCHMARK", help="A benchmark; may be repeated. Replaces the suite's."
)
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE",
    help="An OpenMMLab config file as a benchmark (docs/openmmlab.md); it is Python, and runs. May be repeated.",
)
@click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="Seeds 0 to N-1.  [default: the suite's, or 1]")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override data.*, model.*, schedule.*, or a method's parameter (method.P, method.SLOT.P); may be repeated.",
)
@click.option(
    "--tune",
    type=click.IntRange(0, 1024),
    metavar="N",
    help="First try N settings of each method on validation data (docs/tuning.md).  [default: the suite's, or 0: none]",
)
@click.option("--tune-seeds", type=click.IntRange(1, 100), metavar="K", help="Seeds for each of them.  [default: the suite's, or 1]")
@click.option("--device", type=options.Device(), default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="Trials at the same time.  [default: what the machine can bear]")
@click.option(
    "--trials-per-gpu",
    type=options.CountOrAuto(),
    metavar="N",
    help="Trials that share a GPU; auto: as many as its memory has room for.  [default: 1, or what --workers needs]",
)
@click.option(
    "--gpus-per-trial",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="GPUs that train each trial together, its batch divided among them.",
)
@click.option(
    "--workers-per-trial",
    type=click.IntRange(0, 64),
    metavar="N",
    help="Processes that make the batches of a trial.  [default: on a GPU the cores that are left, 0 where all images fit into memory; "
    "0 on a CPU]",
)
@click.option("--deterministic", is_flag=True, help="On a GPU, take deterministic kernels where there are any: slower, the same each time.")
@click.option("--recompute", is_flag=True, help="Less memory and slower: activations of the backbone are made anew for the backward pass.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Stop a trial that takes longer than S seconds; a benchmark may have a shorter limit of its own. "
    "One that gives no sign of life for half an hour is stopped in any case.",
)
@click.option("--launcher", default="local", show_default=True, metavar="NAME", help="Who starts the trials; packages may bring others.")
@options.data_root
@options.database
@options.plugin_files
@click.option("--keep-weights", is_flag=True, help="Keep what each trial learned: its weights and predictions, beside its log.")
@click.option("--dry-run", is_flag=True, help="Only list the trials and their states.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again.")
@click.pass_context
def command(
    ctx: click.Context,
    suite: str | None,
    methods: tuple[str, ...],
    benchmarks: tuple[str, ...],
    configs: tuple[str, ...],
    seeds: int | None,
    overrides: tuple[str, ...],
    tune: int | None,
    tune_seeds: int | None,
    device: str,
    workers: int | None,
    trials_per_gpu: int | Literal["auto"] | None,
    gpus_per_trial: int,
    workers_per_trial: int | None,
    deterministic: bool,
    recompute: bool,
    time_limit: float | None,
    launcher: str,
    data_root: Path | None,
    db: str,
    plugins: tuple[Path, ...],
    keep_weights: bool,
    dry_run: bool,
    retry_failed: bool,
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
    from harness import data
    from harness.analysis import source
    from harness.benchmarks.openmmlab import code
    from harness.catalog import load_catalog
    from harness.catalog.adopt import adopt
    from harness.catalog.plugins import discover
    from harness.cli import tuned
    from harness.cli.leaderboard import show
    from harness.cli.progress import watching
    from harness.compose import Selection, plan, tuning
    from harness.compose.overrides import Overrides
    from harness.engine.run import run_plan
    from harness.store.url import results_folder

    root = options.known_data_root(data_root)
    files = discover(plugins)
    catalog = adopt(load_catalog(), files)
    if not methods and suite is None:
        given = {path.resolve() for path in plugins}
        methods = tuple(name for file in files if file.path.resolve() in given for name in file.names)
    catalog, benchmarks = code.named(catalog, benchmarks, configs, suite)
    planned = plan(Selection(suite, methods, benchmarks, seeds, overrides, root, tune, tune_seeds), catalog, files)
    searches = tuning.searches(planned, Overrides.parse(overrides), files)
    _say_unfit(planned)
    if dry_run:
        if searches:
            tuned.dry_run(planned, searches, db, files)
        else:
            _table(planned, db)
        return
    prepared = {name: data.ready(task, root) for name, task in planned.tasks.items()}
    for name, dataset in prepared.items():
        for line in dataset.report:
            click.echo(one_line(f"{name}: {line}"), err=True)
    wanted = {name for trial in planned.trials for name in trial.plugins}

    keep = keep_weights or (suite is not None and catalog.suites[suite].keep_weights)

    def go(some: Plan, phase: str) -> Summary:
        if keep and phase != "tuning":
            some.trials = [replace(trial, keep=True) for trial in some.trials]
        with watching(phase) as on_event:
            return run_plan(
                some,
                db,
                data_dirs={name: dataset.folder for name, dataset in prepared.items()},
                notes={name: dataset.report for name, dataset in prepared.items()},
                workers=workers,
                device=device,
                results_dir=results_folder(db),
                plugin_files=[file for file in files if wanted & set(file.names)],
                retry_failed=retry_failed,
                launch_by=launcher,
                trials_per_gpu=trials_per_gpu,
                gpus_per_trial=gpus_per_trial,
                loader_workers=workers_per_trial,
                deterministic=deterministic,
                recompute=recompute,
                time_limit=time_limit,
                on_event=on_event,
            )

    undecided = 0
    if searches:
        tried = go(tuning.tuning_plan(planned, searches), "tuning")
        if tried.missing:
            _say_ending(tried, "tuning ")
            ctx.exit(tried.exit_code)
        verdicts = tuned.verdicts(searches, db)
        undecided = tuned.say(searches, verdicts, tried)
        _say_count(tried, "tuning ")
        planned = tuning.final_plan(planned, searches, verdicts, files)
    summary = go(planned, "final" if searches else "")
    if summary.done:
        show(source.board(db, metrics="whole", samples=True, digests=[trial.digest for trial in planned.trials], all_versions=True))
    _say_ending(summary)
    ctx.exit(summary.exit_code or (3 if undecided else 0))


def _say_unfit(planned: Plan) -> None:
    for method, bench in planned.unfit:
        click.echo(f"note: '{method}' fits no slot of '{bench}' and is left out there.", err=True)


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


def _say_ending(summary: Summary, phase: str = "") -> None:
    for row in summary.failed:
        click.echo(f"failed: {failure(row, terminal=sys.stderr.isatty())}", err=True)
    for row in summary.missing:
        if row.digest in summary.reasons:
            what = f"{row.method} on {row.benchmark}, seed {row.seed}"
            click.echo(one_line(f"not recorded: {what}: {summary.reasons[row.digest]}"), err=True)
    if summary.missing:
        click.echo(f"{len(summary.missing)} {phase}trials are not done; the same command goes on with them.", err=True)
    if summary.failed:
        click.echo(f"{len(summary.failed)} {phase}trials failed; --retry-failed runs them again.", err=True)
    _say_count(summary, phase)


def _say_count(summary: Summary, phase: str) -> None:
    already = summary.done - summary.ran
    click.echo(f"{summary.done} of {summary.total} {phase}trials are done ({already} were before), {summary.seconds:.0f} s.", err=True)
