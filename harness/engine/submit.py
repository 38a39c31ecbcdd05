"""Have the trials of a plan run by workers on a cluster: plan, start workers, watch the queue, cancel what is left."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engine.launchers import Cluster, Worker
from harness.engine.progress import Event, EventKind, Progress
from harness.engine.run import Summary, fill
from harness.engine.shares import Share, shares
from harness.engine.signals import interruptible
from harness.errors import HarnessError
from harness.store import open_store

if TYPE_CHECKING:
    from harness.compose import Trial
    from harness.compose.plan import Plan

_LOOK = 1.0
_LEAVE = 15.0
"""Seconds that workers have to see that nothing is left."""
_FUTILE = 3
"""So often in a row may each place of a cluster see a worker end before any trial does."""
_PASSED_ON = ("HARNESS_CACHE", "HARNESS_DATA", "HARNESS_REGISTRY", "PYTHONPATH")


class Lost(HarnessError):
    """The workers of a cluster end without having run anything."""

    exit_code = 3


def submit(
    plan: Plan,
    url: str,
    open_cluster: Callable[[], Cluster],
    arguments: Sequence[str],
    *,
    data_dirs: dict[str, Path],
    workers: int | None = None,
    retry_failed: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Summary:
    """Run the trials of ``plan`` that are not done by workers elsewhere, and watch them.

    Args:
        url: of the database, as the workers reach it.
        open_cluster: is called when the queue is filled and something is left to do.
        arguments: of ``harness`` for a worker, to which its benchmarks and device are added.
        data_dirs: benchmark -> the folder of its dataset here.
        workers: at most so many; by default as many as there is room for.
        retry_failed: run trials again that failed.

    Raises:
        UsageError: there is no such cluster.
        StoreError: the database failed for good.
        Lost: workers end again and again, and no trial does; the last words of one are told.
    """
    began = time.monotonic()
    store = open_store(url)
    trials = {trial.digest: trial for trial in plan.trials}
    with fill(plan, store, data_dirs, lambda text: tell("warning", message=text), retry_failed=retry_failed):
        states = store.states(digests=trials)
    before = {digest for digest, state in states.items() if state == "done"}

    def tell(kind: EventKind, trial: Trial | None = None, message: str = "") -> None:
        counted = [*states.values()]
        progress = Progress(len(trials), counted.count("done"), counted.count("failed"), counted.count("running"), None)
        on_event(Event(kind, progress, trial, message))

    tell("planned")
    interrupted = False
    if any(state in ("planned", "running") for state in states.values()):
        with contextlib.ExitStack() as stack, interruptible():
            cluster = open_cluster()
            stack.callback(cluster.close)
            running: list[tuple[Share, Worker]] = []
            stack.callback(_stop, running)
            open_trials = [trials[digest] for digest, state in states.items() if state in ("planned", "running")]
            memory = cluster.gpu_memory()
            groups = shares(open_trials, store.peaks() if memory else {}, memory)
            environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            futile = 0
            try:
                while left := Counter(trials[digest].benchmark for digest, state in states.items() if state in ("planned", "running")):
                    room = 0
                    for share in groups:
                        here = sum(left[name] for name in share.benchmarks)
                        wanted = min(here, max(1, cluster.room(share.gpus)), (workers or left.total()) - room)
                        command = [*arguments, *(word for name in share.benchmarks for word in ("-b", name)), "--device", cluster.device]
                        for _ in range(wanted - sum(of == share for of, _ in running)):
                            running.append((share, cluster.start(command, os.getcwd(), environment, share.gpus)))
                        room += max(wanted, sum(of == share for of, _ in running))
                    time.sleep(_LOOK)
                    ended = [(worker, told) for _, worker in running if (told := worker.poll()) is not None]
                    running[:] = [(share, worker) for share, worker in running if worker not in [one for one, _ in ended]]
                    now = store.states(digests=trials)
                    news = {digest: state for digest, state in now.items() if state != states[digest]}
                    states = now
                    for digest, state in news.items():
                        if state in ("done", "failed"):
                            tell("done" if state == "done" else "failed", trials[digest])
                    tell("tick")
                    futile = 0 if any(state in ("done", "failed") for state in news.values()) else futile + len(ended)
                    if futile >= _FUTILE * room:
                        code, words = ended[-1][1]
                        raise Lost(
                            f"workers end (the last one with exit code {code}), and no trial does. Its last words: {words or 'none'}"
                        )
                leave = time.monotonic() + _LEAVE
                while time.monotonic() < leave and any(worker.poll() is None for _, worker in running):
                    time.sleep(_LOOK)
                running[:] = [(share, worker) for share, worker in running if worker.poll() is None]
            except KeyboardInterrupt:
                interrupted = True
    with store.snapshot():
        states = store.states(digests=trials)
        rows = store.trials(digests=[digest for digest, state in states.items() if state != "done"])
    return Summary(
        total=len(states),
        ran=len(states) - len(rows) - len(before),
        done=len(states) - len(rows),
        failed=[row for row in rows if row.state == "failed"],
        missing=[row for row in rows if row.state != "failed"],
        interrupted=interrupted,
        seconds=time.monotonic() - began,
    )


def _stop(workers: list[tuple[Share, Worker]]) -> None:
    for _, worker in workers:
        worker.stop()
