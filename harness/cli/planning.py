"""What verbs that plan trials have in common: the options that say which, and the way from these to a leaderboard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import failure
from harness.texts import one_line

if TYPE_CHECKING:
    from harness.catalog.plugins import PluginFile
    from harness.compose.plan import Plan
    from harness.compose.tuning import Search
    from harness.data import Ready
    from harness.engine.run import Summary

_OPTIONS = (
    click.option("-s", "--suite", metavar="SUITE", help="A named list of methods and benchmarks, e.g. quick."),
    click.option(
        "-m", "--method", "methods", multiple=True, metavar="METHOD", help="A method; may be repeated. Replaces the suite's methods."
    ),
    click.option(
        "-b", "--benchmark", "benchmarks", multiple=True, metavar="BENCHMARK", help="A benchmark; may be repeated. Replaces the suite's."
    ),
    click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="Seeds 0 to N-1.  [default: the suite's, or 1]"),
    options.sets(
        "overrides",
        help="Override data.*, model.*, schedule.*, or a method's parameter (method.P, method.SLOT.P); may be repeated.",
    ),
    click.option(
        "--tune",
        type=click.IntRange(0, 1024),
        metavar="N",
        help="First try N settings of each method on validation data (docs/tuning.md).  [default: the suite's, or 0: none]",
    ),
    click.option("--tune-seeds", type=click.IntRange(1, 100), metavar="K", help="Seeds for each of them.  [default: the suite's, or 1]"),
    options.data_root,
    options.database,
    options.plugin_files,
    options.configs,
    options.keep_weights,
    options.artifacts,
    click.option("--retry-failed", is_flag=True, help="Run failed trials again."),
)


def selection(function: options.Function) -> options.Function:
    """The options that say which trials; :func:`asked` takes their values."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@dataclass
class Asked:
    """What a command line asks for."""

    plan: Plan
    searches: list[Search]
    """What is tried before that."""
    files: list[PluginFile]
    db: str
    data_root: Path | None
    plugins: tuple[Path, ...]
    configs: tuple[str, ...]
    retry_failed: bool
    keep: bool
    """Whether the final trials keep their weights and predictions."""
    ready: Mapping[str, Ready] = field(default_factory=dict)
    """Benchmark -> its dataset, after :meth:`prepare`."""

    @property
    def folders(self) -> dict[str, Path]:
        """Benchmark -> the folder of its dataset."""
        return {name: dataset.folder for name, dataset in self.ready.items()}

    def prepare(self) -> None:
        """Look at the datasets, or make them.

        Raises:
            DataError: one is missing, or malformed so that a trial could not run.
        """
        from harness import data

        self.ready = {name: data.ready(task, self.data_root) for name, task in self.plan.tasks.items()}
        for name, dataset in self.ready.items():
            for line in dataset.report:
                click.echo(one_line(f"{name}: {line}"), err=True)

    def carry_out(self, go: Callable[[Plan, str], Summary]) -> int:
        """Have the tuning trials and the final ones run, print the leaderboard, and return the exit code.

        Args:
            go: runs the trials of a plan; it is told how to call that part of the run.
        """
        from harness.analysis import source
        from harness.cli import tuned
        from harness.cli.leaderboard import show
        from harness.compose import tuning

        planned, undecided = self.plan, 0
        if self.searches:
            tried = go(tuning.tuning_plan(planned, self.searches), "tuning")
            if tried.missing:
                say_ending(tried, "tuning ")
                return tried.exit_code
            verdicts = tuned.verdicts(self.searches, self.db)
            undecided = tuned.say(self.searches, verdicts, tried)
            _say_count(tried, "tuning ")
            planned = tuning.final_plan(planned, self.searches, verdicts, self.files)
        if self.keep:
            planned.trials = [replace(trial, keep=True) for trial in planned.trials]
        summary = go(planned, "final" if self.searches else "")
        if summary.done:
            digests = [trial.digest for trial in planned.trials]
            show(source.board(self.db, metrics="whole", samples=True, digests=digests, all_versions=True))
        say_ending(summary)
        return summary.exit_code or (3 if undecided else 0)

    def fill(self) -> str:
        """Put the trials into the queue that can be run now, and say what they are."""
        from harness.analysis import source
        from harness.cli import tuned
        from harness.compose import tuning
        from harness.engine.run import fill
        from harness.store import open_store

        planned, phase = self.plan, ""
        store = open_store(self.db)
        if self.searches:
            planned, phase = tuning.tuning_plan(self.plan, self.searches), "tuning "
            states = source.states(self.db, [trial.digest for trial in planned.trials])
            if len(states) == len(planned.trials) and set(states.values()) <= {"done", "failed"} and not self.retry_failed:
                verdicts = tuned.verdicts(self.searches, self.db)
                planned, phase = tuning.final_plan(self.plan, self.searches, verdicts, self.files), "final "
        with fill(planned, store, self.folders, lambda text: click.echo(f"warning: {text}", err=True), retry_failed=self.retry_failed):
            states = source.states(self.db, [trial.digest for trial in planned.trials])
        waiting = sum(state in ("planned", "running") for state in states.values())
        ended = len(states) - waiting
        then = " The same command plans the final ones when these have ended." if phase == "tuning " else ""
        rest = f"`harness worker{' --keep-weights' if self.keep else ''}` runs the rest."
        return f"{len(states)} {phase}trials are in the queue, {ended} of them have ended. {rest}{then}"


def asked(
    *,
    suite: str | None,
    methods: tuple[str, ...],
    benchmarks: tuple[str, ...],
    seeds: int | None,
    overrides: tuple[str, ...],
    tune: int | None,
    tune_seeds: int | None,
    data_root: Path | None,
    db: str,
    plugins: tuple[Path, ...],
    configs: tuple[str, ...],
    retry_failed: bool,
    keep: bool,
) -> Asked:
    """The trials that the values of :func:`selection`'s options mean.

    Args:
        configs: config files that are benchmarks, see :func:`harness.benchmarks.openmmlab.code.named`.
        keep: as :attr:`Asked.keep`; a suite may say so, too.

    Raises:
        UsageError, DataError: see :func:`harness.compose.plan`.
    """
    from harness.benchmarks.openmmlab import code
    from harness.catalog import load_catalog
    from harness.catalog.adopt import adopt
    from harness.catalog.plugins import discover
    from harness.compose import Selection, plan, tuning
    from harness.compose.overrides import Overrides

    root = options.known_data_root(data_root)
    files = discover(plugins)
    catalog = adopt(load_catalog(), files)
    if not methods and suite is None:
        given = {path.resolve() for path in plugins}
        methods = tuple(name for file in files if file.path.resolve() in given for name in file.names)
    catalog, benchmarks = code.named(catalog, benchmarks, configs, suite)
    planned = plan(Selection(suite, methods, benchmarks, seeds, overrides, root, tune, tune_seeds), catalog, files)
    searches = tuning.searches(planned, Overrides.parse(overrides), files)
    for method, bench in planned.unfit:
        click.echo(f"note: '{method}' fits no slot of '{bench}' and is left out there.", err=True)
    keep = keep or (suite is not None and catalog.suites[suite].keep_weights)
    return Asked(planned, searches, files, db, root, plugins, configs, retry_failed, keep)


def say_ending(summary: Summary, phase: str = "") -> None:
    """What failed and what is missing, and how many are done.

    Args:
        phase: what the trials are called, with a blank behind.
    """
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
