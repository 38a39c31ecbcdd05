"""Plan -> queue -> one forked process per trial -> record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.engine import prepare
from harness.engine.guard import guarded
from harness.engine.launchers import Launched, Settings, launcher
from harness.engine.progress import Event, Progress, Tally
from harness.errors import UsageError
from harness.store import Store, TrialRow, open_store
from harness.store.url import absolute

if TYPE_CHECKING:
    from harness.catalog.plugins import PluginFile
    from harness.compose.plan import Plan
    from harness.engine.child import TrialFunction


@dataclass
class Summary:
    """How a run ended."""

    total: int
    ran: int
    """Trials finished by this run."""
    done: int
    """Trials done, now or before."""
    failed: list[TrialRow]
    """Failed, now or before; only ``retry_failed`` runs them again."""
    missing: list[TrialRow]
    """Neither done nor failed: the same command goes on with them."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Digest of a missing trial -> why, where this run knows."""
    interrupted: bool = False
    seconds: float = 0.0
    begun: int = 0
    """How often this run began a trial."""

    @property
    def exit_code(self) -> int:
        """0 all done, 3 trials failed or missing, 130 interrupted."""
        if self.interrupted:
            return 130
        return 3 if self.failed or self.missing else 0


def fill(
    plan: Plan, store: Store, data_dirs: dict[str, Path], complain: Callable[[str], None], *, retry_failed: bool = False
) -> prepare.Floors:
    """Put the trials of ``plan`` into the queue, and begin to compute the floors that are not known: they are there after ``with``.

    Args:
        data_dirs: benchmark -> the folder of its dataset.
        complain: is told of a floor that cannot be computed.
        retry_failed: also plan those again that failed.
    """
    store.plan(plan.trials, retry_failed=retry_failed)
    store.put_specs(prepare.metric_specs(plan))
    return prepare.Floors(plan, data_dirs, store, complain)


def run_plan(
    plan: Plan,
    store_url: str,
    *,
    data_dirs: dict[str, Path],
    notes: Mapping[str, Sequence[str]] | None = None,
    workers: int | None = None,
    device: str = "auto",
    results_dir: Path = Path("results"),
    plugin_files: Iterable[PluginFile] = (),
    retry_failed: bool = False,
    time_limit: float | None = None,
    launch_by: str = "local",
    trials_per_gpu: int | Literal["auto"] | None = None,
    gpus_per_trial: int = 1,
    loader_workers: int | None = None,
    deterministic: bool = False,
    recompute: bool = False,
    queued: bool = False,
    most: int | None = None,
    until: float | None = None,
    patient: bool = True,
    on_event: Callable[[Event], None] = lambda event: None,
    trial_function: TrialFunction | None = None,
) -> Summary:
    """Run the trials of ``plan`` that are not done, and record each.

    Call it from the main thread of a process that has started no threads: trials are forked from it. A display
    that follows ``on_event`` must not have a thread either (``rich.progress.Progress(auto_refresh=False)``).
    If everything is done already, neither torch nor OpenMMLab is imported.

    Args:
        data_dirs: benchmark -> the folder of its dataset, for all benchmarks of the plan.
        notes: benchmark -> what is recorded with each of its trials, of its dataset say.
        workers: trials at a time; by default one per core, or one per GPU. Results do not depend on it.
        device: ``auto``, ``cpu``, ``cuda`` (all of them) or ``cuda:N``.
        results_dir: logs, checkpoints and work files go to ``trials/DIGEST`` in here.
        retry_failed: run trials again that failed.
        time_limit: seconds for each trial, besides the benchmark's own limit.
        trials_per_gpu: trials that share a GPU; ``auto``: as many as its memory has room for, and cores are there; by default one,
            or what ``workers`` needs.
        gpus_per_trial: GPUs that train each trial together, its batch divided among them; on a CPU, processes.
        loader_workers: processes that make the batches of each trial; ``None``: on a GPU the cores that are left, 0 where all images
            fit into memory, 0 on a CPU.
        deterministic: take deterministic kernels on a GPU.
        recompute: make activations anew for the backward pass.
        launch_by: who starts trials, see :mod:`harness.engine.launchers`.
        queued: whether somebody else has put the trials into the queue, and sees to their floors.
        most, until, patient: see :class:`harness.engine.launchers.Settings`.
        trial_function: runs one trial; by default :func:`harness.engine.trial.run_trial` with the stack imported
            and ``plugin_files`` loaded.

    Raises:
        UsageError: a wrong device, number or database; OpenMMLab is not installed whole.
        StoreError: the database failed for good; what was done is stored, the same command goes on.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: at least one worker is needed.")
    if time_limit is not None and not time_limit > 0:
        raise UsageError(f"--time-limit {time_limit:g}: give a positive number of seconds.")
    launch = launcher(launch_by)
    began = time.monotonic()
    store = open_store(store_url)
    digests = [trial.digest for trial in plan.trials]
    progress = Progress(len(digests), 0, 0, 0, None)
    start: Callable[[], Launched] = Launched

    def complain(text: str) -> None:
        on_event(Event("warning", progress, message=text))

    with nullcontext() if queued else fill(plan, store, data_dirs, complain, retry_failed=retry_failed):
        states = store.states(digests=digests)
        todo = [trial for trial in plan.trials if states[trial.digest] in ("planned", "running")]
        counted = list(states.values())
        progress = Progress(len(digests), counted.count("done"), counted.count("failed"), 0, None)
        on_event(Event("planned", progress))
        if todo:
            if trial_function is None:
                on_event(Event("prepare", progress, message="importing OpenMMLab and the plugins"))
                trial_function = prepare.trial_function(plugin_files)
            wanted = {trial.benchmark for trial in todo}
            prepare.list_datasets((task for task in plan.tasks.values() if task.id in wanted), data_dirs)
            found = prepare.devices(device, complain)
            found, on_gpus = prepare.grouped(found, gpus_per_trial), "cpu" not in found
            per_device = None if trials_per_gpu == "auto" else trials_per_gpu or ceil((workers or 1) / len(found))
            at_once = workers or prepare.default_workers(found, per_device)
            options: dict[str, Any] = {"deterministic": deterministic, "recompute": recompute, "loader_workers": loader_workers or 0}
            if loader_workers is None and on_gpus:
                options |= {"loader_workers": None, "spare_cores": prepare.cores() // min(at_once, len(todo)) - 1}
            folder = results_dir.absolute() / "trials"
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"cannot create the folder {folder} for logs and checkpoints: {error.strerror}.") from error
            settings = Settings(
                url=absolute(store_url),  # a plugin may change the folder of its trial's process
                data=data_dirs,
                notes=notes or {},
                folder=folder,
                devices=[*found],
                memory=found,
                workers=at_once,
                per_device=per_device if on_gpus else None,
                options={name: value for name, value in options.items() if value or value is None},
                time_limit=time_limit,
                most=most,
                until=until,
                patient=patient,
            )
            tally = Tally(progress.total, progress.done, progress.failed, settings.workers, on_event)
            start = partial(launch, store, todo, settings, guarded(trial_function, plan.tasks), tally)
    launched = start()
    with store.snapshot():
        states = store.states(digests=digests)
        rows = store.trials(digests=[digest for digest, state in states.items() if state != "done"])
    return Summary(
        total=len(states),
        ran=len(launched.ran),
        begun=launched.begun,
        done=len(states) - len(rows),
        failed=[row for row in rows if row.state == "failed"],
        missing=[row for row in rows if row.state not in ("done", "failed")],
        reasons=launched.unsaved,
        interrupted=launched.interrupted,
        seconds=time.monotonic() - began,
    )
