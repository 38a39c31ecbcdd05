"""``harness submit``: evaluate methods on benchmarks, on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.planning import asked, selection

if TYPE_CHECKING:
    from harness.compose.plan import Plan
    from harness.engine.run import Summary


@click.command("submit")
@selection
@click.option(
    "--ray", metavar="[ADDRESS]", is_flag=False, flag_value="auto", help="On the Ray cluster at ADDRESS (default: this machine's)."
)
@click.option("--slurm", metavar="[local]", is_flag=False, flag_value="slurm", help="As jobs of Slurm; `local`: processes of this machine.")
@click.option("--launcher", metavar="NAME", help="On another cluster, which a package brings.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Workers at most.  [default: as many as there is room for]")
@click.option("--cpus", type=options.Number(min=0, min_open=True), default=1.0, show_default=True, metavar="N", help="Cores of a worker.")
@click.option(
    "--gpus",
    type=options.Number(min=0),
    metavar="N",
    help="GPUs of a worker, a part of one for Ray.  [default: where a Ray cluster has any, what a benchmark's trials took before, or 1]",
)
@click.option("--memory", type=options.Number(min=0, min_open=True), metavar="GIB", help="Memory of a worker.")
@click.option(
    "--trials", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Trials of a worker at the same time."
)
@click.option(
    "--option",
    "options_",
    multiple=True,
    metavar="KEY=VALUE",
    help="Told to the cluster: what submitit takes (slurm_partition=gpu), a resource of Ray; may be repeated.",
)
@click.option("--time-limit", type=options.Number(min=0, min_open=True), metavar="S", help="Stop a trial that takes longer than S seconds.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    ray: str | None,
    slurm: str | None,
    launcher: str | None,
    workers: int | None,
    cpus: float,
    gpus: float | None,
    memory: float | None,
    trials: int,
    options_: tuple[str, ...],
    time_limit: float | None,
    **selected: Any,
) -> None:
    """Plan trials, start workers on a cluster, and watch until all are done.

    The options that say what to run are those of `harness run`. Each worker is a `harness worker`, so its machine must have the same
    code and data and reach the database. Ctrl-C ends the workers; the same command goes on.

    \b
    harness submit -s quick --ray
    harness submit -s real --db postgresql+psycopg://bench@db/harness --ray 10.0.0.1:6379 --gpus 0.5
    harness submit -s real --db postgresql+psycopg://bench@db/harness --slurm --gpus 1 --option slurm_partition=gpu
    """
    from harness import paths, remote
    from harness.cli.progress import watching
    from harness.engine.launchers import Need, cluster
    from harness.engine.submit import submit
    from harness.errors import UsageError
    from harness.store.url import absolute

    chosen = [(name, where) for name, where in (("ray", ray), ("slurm", slurm), (launcher, "")) if name and where is not None]
    if len(chosen) != 1:
        raise UsageError("say where: one of --ray, --slurm and --launcher NAME.")
    if wrong := next((text for text in options_ if "=" not in text), None):
        raise UsageError(f"--option {wrong}: write KEY=VALUE.")
    ((name, where),) = chosen
    opened = cluster(name)
    told = {key: value for key, _, value in (text.partition("=") for text in options_)}
    wanted = asked(**selected)
    wanted.prepare()
    arguments = ["worker", "--db", absolute(wanted.db), "--workers", str(trials)]
    arguments += [word for file in wanted.plugins for word in ("--plugin", str(file.absolute()))]
    arguments += [
        word for file in wanted.configs for word in ("--config", file if "::" in file else str(Path(file).expanduser().absolute()))
    ]
    arguments += ["--data-root", remote.source(wanted.data_root) or str(wanted.data_root.absolute())] if wanted.data_root else []
    arguments += ["--keep-weights"] if wanted.keep else []
    arguments += ["--artifacts", place] if (place := paths.artifacts()) else []
    arguments += ["--time-limit", f"{time_limit:g}"] if time_limit else []

    def go(some: Plan, phase: str) -> Summary:
        with watching(phase) as on_event:
            return submit(
                some,
                wanted.db,
                lambda: opened(where, Need(cpus, gpus, memory), told),
                arguments,
                data_dirs=wanted.folders,
                workers=workers,
                retry_failed=wanted.retry_failed,
                on_event=on_event,
            )

    ctx.exit(wanted.carry_out(go))
