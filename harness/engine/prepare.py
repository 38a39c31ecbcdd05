"""What happens once before trials are forked: datasets, floors, the device, the OpenMMLab stack and the plugins."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import unchanged
from harness.engine import isolate
from harness.engine.threads import one_thread, thread_pools
from harness.errors import HarnessError, UsageError
from harness.store import Floor, MetricSpec, Store, open_store

if TYPE_CHECKING:
    from harness.benchmarks import Task
    from harness.catalog.plugins import PluginFile
    from harness.compose import Trial
    from harness.compose.plan import Plan
    from harness.engine.child import TrialFunction
    from harness.outcome import Outcome


def metric_specs(plan: Plan) -> list[MetricSpec]:
    """How the metrics of a plan's benchmarks are read."""
    specs = []
    for task in plan.tasks.values():
        for metric in task.metrics:
            spec = MetricSpec(
                benchmark=task.id,
                version=task.entry.version,
                metric=metric.name,
                unit=metric.unit,
                higher_is_better=metric.higher_is_better,
                title=metric.title,
                primary=metric.name == task.primary,
                per_scene=metric.per_scene,
            )
            specs.append(spec)
    return specs


def _floor(task: Task, folder: Path, of: tuple[str, int, str, str], url: str) -> None:
    """Store a floor, unless another run that wanted it has done so meanwhile.

    It belongs to the data that was planned with, so these must be there before and after.
    """
    one_thread()
    store, (bench, version, dataset, of_task) = open_store(url), of
    with store.turn(f"floor {of}"):
        if of in _floors(store):
            return
        unchanged(task, folder, dataset)
        floor = task.floor(folder)
        unchanged(task, folder, dataset)
        store.put_floors(Floor(bench, version, dataset, name, value, of_task) for name, value in floor.items())


def _floors(store: Store) -> set[tuple[str, int, str, str]]:
    return {(floor.benchmark, floor.version, floor.dataset, floor.task) for floor in store.floors()}


class Floors(AbstractContextManager["Floors"]):
    """Floors that are not in the store yet, each computed and stored by a process of its own while the block is run.

    Runs that begin together compute it once. One that cannot be computed costs a complaint only.
    """

    def __init__(self, plan: Plan, data: dict[str, Path], store: Store, complain: Callable[[str], None]):
        known = _floors(store)
        keys = {trial.benchmark: (trial.benchmark, trial.version, trial.dataset, trial.task) for trial in plan.trials}
        self._complain = complain
        self._answers: list[tuple[str, isolate.Answer]] = []
        end_thread_pools()
        for task in plan.tasks.values():
            if task.id in keys and keys[task.id] not in known:
                self._answers.append((task.id, isolate.start(partial(_floor, task, data[task.id], keys[task.id], store.url))))

    def __exit__(self, *_: object) -> None:
        for bench, answer in self._answers:
            try:
                answer.result()
            except HarnessError as error:
                self._complain(f"the floor of '{bench}' could not be computed: {error}")
        self._answers = []


def list_datasets(tasks: Iterable[Task], data: Mapping[str, Path]) -> None:
    """Read once what each dataset holds, for all trials that are forked from this process.

    Whatever is wrong with one is told by its trials.
    """
    for task in tasks:
        with contextlib.suppress(Exception):
            _, found = task.family.listing(data[task.id], task.data.model_dump(mode="json", exclude={"root"}))
            _ = found.bits  # the headers of all pictures


@dataclass(frozen=True)
class Gpu:
    """A GPU that computes."""

    index: int
    name: str
    memory: int
    """Bytes."""


def gpus() -> tuple[list[Gpu], str]:
    """The GPUs that compute, each tried with a tensor, and why another one does not.

    Asked in a process of its own: to ask CUDA in this one would make it unusable in every process forked from here.
    """
    end_thread_pools()
    try:
        found, why = isolate.start(tried_gpus).result()
    except isolate.Isolated as error:
        return [], str(error)
    return [Gpu(*some) for some in found], why


def tried_gpus() -> tuple[list[tuple[int, str, int]], str]:
    """Index, name and bytes of each GPU that computes here, and why another one does not; initializes CUDA."""
    import warnings

    import torch

    found, why = [], ""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        try:
            torch.zeros(1, device=f"cuda:{index}").add_(1).item()
            about = torch.cuda.get_device_properties(index)
            found.append((index, about.name, about.total_memory))
        except Exception as error:  # a driver fails in many ways
            why = why or f"cuda:{index}: {isolate.one_line(error, 200)}"
    return found, why or next((isolate.one_line(warning.message, 200) for warning in said if isinstance(warning.message, Warning)), "")


def devices(wanted: str, complain: Callable[[str], None] = lambda text: None) -> dict[str, int]:
    """The devices behind ``auto``, ``cpu``, ``cuda`` (all of them) or ``cuda:N``, and the bytes of each GPU's memory.

    Args:
        complain: told why ``auto`` leaves a GPU alone that does not compute.

    Raises:
        UsageError: there is no such device.
    """
    if wanted == "cpu":
        return {"cpu": 0}
    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cuda") or (index and not index.isdecimal()) or (kind == "auto" and index):
        raise UsageError(f"unknown device '{wanted}'. Use auto, cpu, cuda or cuda:N.")
    usable, why = gpus()
    found = {f"cuda:{gpu.index}": gpu.memory for gpu in usable}
    if kind == "auto":
        if why:
            complain(f"a GPU is not used: {why}. `harness doctor` says more.")
        return found or {"cpu": 0}
    if not found or (index and f"cuda:{int(index)}" not in found):
        told = f"{len(found)} CUDA devices are usable" if found else "no CUDA device is usable"
        raise UsageError(f"--device {wanted}: {told}. `harness doctor` says why; --device cpu works everywhere.")
    return {name: found[name] for name in ([f"cuda:{int(index)}"] if index else found)}


def grouped(found: Mapping[str, int], each: int) -> dict[str, int]:
    """Devices in groups of ``each``, joined by commas, with the memory of the smallest; a CPU is as many devices as a trial wants.

    Raises:
        UsageError: there are fewer.
    """
    if each == 1:
        return dict(found)
    if "cpu" in found:
        return {",".join(["cpu"] * each): 0}
    names = [*found]
    if len(names) < each:
        raise UsageError(f"--gpus-per-trial {each}: {len(names)} CUDA devices are usable.")
    groups = [names[i : i + each] for i in range(0, len(names) - each + 1, each)]
    return {",".join(group): min(found[name] for name in group) for group in groups}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(found: Collection[str], per_device: int | None = 1) -> int:
    """One trial per core, or so many per GPU, at most one per core where their number is not given."""
    if "cuda" not in next(iter(found)):
        return max(1, cores() // len(next(iter(found)).split(",")))
    return max(len(found), cores()) if per_device is None else len(found) * per_device


def trial_function(plugin_files: Iterable[PluginFile]) -> TrialFunction:
    """Import the stack, and return the function that runs a trial; it loads the trial's own plugins, in the trial's process.

    A plugin file that does not import fails the trials that need it, and no others.

    Raises:
        UsageError: OpenMMLab is not installed whole.
    """
    from harness.benchmarks import register
    from harness.catalog.verify import deadly

    files = [*plugin_files]
    dead = deadly(files)
    try:
        register.setup()
    except ImportError as error:
        raise UsageError(f"the OpenMMLab stack cannot be imported: {error}. `harness doctor` says how to mend it.") from error
    from mmengine.utils import import_modules_from_strings

    from harness.engine import environment, planned
    from harness.engine.plugins import load_for
    from harness.engine.trial import run_trial
    from harness.engine.untouched import watched

    environment.describe("cpu")  # remembered here for all trials, which are forked from this process
    thread_pools()

    def function(trial: Trial, **where: Any) -> Outcome:
        planned.check(trial, files)
        load_for(trial.plugins, files, dead)
        if imports := trial.config.get("custom_imports"):
            import_modules_from_strings(**imports)
        planned.check(trial, files)  # edited between the two, it may be either code that was imported
        read = planned.all_read(trial, files)
        with watched(trial.plugins, files):
            outcome = run_trial(trial, **where)
        if not read:  # what a constructor or a pass imports was read later
            planned.check(trial, files)
        return outcome

    return function


def end_thread_pools() -> None:
    """Before a fork: a thread pool does not survive it, and whoever waits for its threads in the child waits for ever."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)
