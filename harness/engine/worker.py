"""A worker: runs trials that others have put into the queue, as long as there are any that are the same trials here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import data
from harness.benchmarks.openmmlab import code
from harness.compose.again import Registered, alike, difference
from harness.compose.plan import Plan
from harness.engine.progress import Event
from harness.engine.run import Summary, run_plan
from harness.errors import HarnessError
from harness.store import TrialRow, open_store

if TYPE_CHECKING:
    from harness.benchmarks import Task
    from harness.compose import Trial

LOOK = 5.0
"""Seconds after which a worker without work looks at the queue again."""


@dataclass
class Batch:
    """Trials of the queue that can be run here together: of each benchmark there are one set of data options."""

    plan: Plan = field(default_factory=lambda: Plan([], {}))
    ready: dict[str, data.Ready] = field(default_factory=dict)
    """The dataset of each benchmark of the plan, and"""
    of: dict[str, str] = field(default_factory=dict)
    """its :attr:`harness.compose.Trial.task`."""


@dataclass
class Worked:
    """What a worker has done."""

    done: int = 0
    failed: list[TrialRow] = field(default_factory=list)
    """Of the trials that it was there for, those that failed, with it or with others."""
    unsaved: dict[str, str] = field(default_factory=dict)
    """Trials that could not be recorded -> why."""
    refused: int = 0
    """Trials that wait and cannot be run here."""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 nothing is left, or what was asked for is done; 3 trials failed, could not be recorded or cannot be run here; 130."""
        if self.interrupted:
            return 130
        return 3 if self.failed or self.unsaved or self.refused else 0


def work(
    url: str,
    *,
    benchmarks: Iterable[str] = (),
    plugins: Sequence[Path] = (),
    configs: Sequence[str] = (),
    keep: bool = False,
    data_root: Path | None = None,
    forever: bool = False,
    most: int | None = None,
    seconds: float | None = None,
    say: Callable[[str], None] = lambda text: None,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> Worked:
    """Run what waits in the queue at ``url`` until nothing is left, here or with others, that this process could run.

    Call it from the main thread of a process that has started no threads, as :func:`harness.engine.run.run_plan`.

    Args:
        benchmarks: run only trials of these; none means all.
        plugins: plugin files from elsewhere, as the run that planned the trials named them.
        configs: config files that are benchmarks; each runs once, as those do of ``benchmarks`` that are code.
        keep: whether trials keep their weights and predictions, those of tuning apart.
        forever: do not end, but wait for further trials.
        most: begin so many trials and no more.
        seconds: begin no trial later than so long from now; those that run are finished.
        say: is told why trials are left to others, once for each reason.
        on_event, options: see :func:`harness.engine.run.run_plan`.

    Raises:
        UsageError, StoreError: as :func:`harness.engine.run.run_plan`.
    """
    until = None if seconds is None else time.monotonic() + seconds
    worked, said, begun = Worked(), set[str](), 0
    benchmarks = [*benchmarks]
    coded = code.found(Registered.here(plugins).catalog, benchmarks, configs)

    def enough() -> bool:
        return (most is not None and begun >= most) or (until is not None and time.monotonic() >= until)

    while not enough():
        here = Registered.here(plugins, coded)
        refused: Counter[str] = Counter()
        found = batches(url, here, data_root, refused, benchmarks, worked.unsaved)
        for reason, count in refused.items():
            if reason not in said:
                said.add(reason)
                say(f"{count} trial{'s are' if count > 1 else ' is'} left to others: {reason}")
        worked.refused = refused.total()
        before = begun
        for batch in found:
            if enough():
                break
            # one that waits for what others run of one batch would leave the next alone
            batch.plan.trials = [replace(trial, keep=(keep or trial.keep) and not trial.purpose) for trial in batch.plan.trials]
            limits = {"most": None if most is None else most - begun, "until": until, "patient": len(found) == 1}
            summary = _run(batch, url, here, on_event=on_event, **limits, **options)
            begun += summary.begun
            worked.done += summary.ran
            worked.failed += summary.failed
            worked.unsaved |= summary.reasons
            worked.interrupted = summary.interrupted
            if worked.interrupted:
                return worked
        if not found and not forever:
            break
        if begun == before and not enough():
            time.sleep(LOOK if until is None else max(0.0, min(LOOK, until - time.monotonic())))
    return worked


def _run(batch: Batch, url: str, here: Registered, **options: Any) -> Summary:
    wanted = {name for trial in batch.plan.trials for name in trial.plugins}
    return run_plan(
        batch.plan,
        url,
        data_dirs={name: ready.folder for name, ready in batch.ready.items()},
        notes={name: ready.report for name, ready in batch.ready.items()},
        plugin_files=[file for file in here.files if wanted & set(file.names)],
        queued=True,
        **options,
    )


def batches(
    url: str,
    here: Registered,
    data_root: Path | None,
    refused: Counter[str],
    benchmarks: Iterable[str] = (),
    without: Collection[str] = (),
) -> list[Batch]:
    """What waits in the queue and is the same trial here.

    Args:
        refused: reasons why some are not -> how many; it is added to.
        without: digests of trials that are left out.
    """
    store = open_store(url, create=False)
    with store.snapshot():
        rows = [row for row in store.trials(states=["planned", "running"], benchmarks=[*benchmarks] or None) if row.digest not in without]
        settings = store.settings() if rows else {}
        searched = {digest: store.config(digest) for digest in {row.tuning for row in rows if row.tuning}}
    places = Places(data_root)
    found: list[Batch] = []
    for some in alike(rows):
        first = some[0]
        conditions, tuning = settings.get(first.setting, {}), searched.get(first.tuning)
        try:
            method, task = cell = here.cell(first, tuning)
            trials = here.trials(some, cell, conditions, tuning, places.fingerprint(task, first.dataset), places.fingerprint)
            if different := difference(first, trials[0], conditions):
                raise HarnessError(f"{method.id} on {task.id}: {different}")
            ready = places.ready(task)
        except HarnessError as error:
            refused[str(error)] += len(some)
            continue
        _put(found, task, trials, ready)
    return found


class Places:
    """The datasets of this machine, each looked at once."""

    def __init__(self, root: Path | None):
        self._root = root
        self._prints: dict[str, str] = {}
        self._ready: dict[str, data.Ready] = {}

    def fingerprint(self, task: Task, planned: str = "") -> str:
        """Of the dataset as it lies here.

        Args:
            planned: what it has to be, where that is known.

        Raises:
            HarnessError: it does not, or is not the ``planned`` one.
        """
        key = self._key(task)
        if key not in self._prints:
            self._prints[key] = data.fingerprint(task, self._root)
        if planned and self._prints[key] != planned and not task.is_generated:
            raise HarnessError(
                f"the data of '{task.id}' in {data.locate(task, self._root)} are others ({self._prints[key]}) than those that the trials "
                f"were planned with ({planned}). Put the same files there, or give another --data-root. What was copied from a URL is "
                "copied again when that folder has been deleted."
            )
        return self._prints[key]

    def ready(self, task: Task) -> data.Ready:
        """The dataset, generated if need be, or looked at.

        Raises:
            HarnessError: it cannot be used.
        """
        key = self._key(task)
        if key not in self._ready:
            self._ready[key] = data.ready(task, self._root)
        return self._ready[key]

    def _key(self, task: Task) -> str:
        return f"{task.id} {task.data.model_dump_json()}"


def _put(found: list[Batch], task: Task, trials: list[Trial], ready: data.Ready) -> None:
    """Into the first batch that has no other data options of the same benchmark."""
    of = trials[0].task
    batch = next((some for some in found if some.of.get(task.id, of) == of), None)
    if batch is None:
        found.append(batch := Batch())
    batch.plan.trials.extend(trials)
    batch.plan.tasks.setdefault(task.id, task)
    batch.ready[task.id], batch.of[task.id] = ready, of
