"""One trial in a process of its own, forked from a parent that has everything imported."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from harness import paths, remote
from harness.compose import Trial
from harness.engine.isolate import forked, one_line
from harness.engine.janitor import Janitor
from harness.engine.pulse import Pulse, take
from harness.errors import HarnessError, TrialError
from harness.outcome import Outcome
from harness.store import Store, StoreError, open_store

_PATIENCE = (1.0, 5.0, 15.0)
"""Seconds between attempts to write to a database that fails; a held one is waited for besides."""


_GRACE = 5.0
"""Seconds that a killed process has for its end."""


class TrialFunction(Protocol):
    """Runs a trial, as :func:`harness.engine.trial.run_trial` does."""

    def __call__(self, trial: Trial, *, data: Path, work_dir: Path, device: str, batch_divisor: int, **options: Any) -> Outcome: ...


@dataclass(frozen=True)
class Job:
    """What a forked process needs to know."""

    trial: Trial
    token: str
    url: str
    data: Path
    folder: Path
    """The trial's own work folder; ``log.txt`` in it is its log."""
    device: str
    batch_divisor: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the function."""
    notes: tuple[str, ...] = ()
    """What is recorded beside the trial's own notes."""
    last: bool = False
    """Whether running out of memory fails the trial: there is nothing left to try."""


@dataclass
class Child:
    """A forked process and the trial it runs."""

    job: Job
    pid: int
    pipe: int
    since: float
    """``time.monotonic()`` of the fork."""
    pulse: Pulse
    janitor: Janitor
    silent: float = 0.0
    """Seconds for which nothing has been heard of it, as far as somebody listened."""
    _heard: int = 0

    def listen(self, seconds: float) -> float:
        """How long it has been silent, when ``seconds`` have passed since the last call."""
        self.silent = self.silent + seconds if self.pulse.count == self._heard else 0.0
        self._heard = self.pulse.count
        return self.silent

    def poll(self) -> tuple[int, dict[str, Any]] | None:
        """(exit code, negative for a signal; what the child said), or ``None`` while it runs."""
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        return self.kill()

    def kill(self) -> tuple[int, dict[str, Any]]:
        """End the child, unless it has ended, and all processes it started; then wait for it.

        Not for ever: the kernel ends a process only when it comes back from a driver, and leases must be renewed meanwhile.
        """
        for end, number in ((os.killpg, self.pid), (os.kill, self.pid)):  # it may not have made its group yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(number, signal.SIGKILL)
        if (status := _buried(self.pid)) is None:
            os.close(self.pipe)
            return -signal.SIGKILL, {}
        self.janitor.forget(self.pid)
        os.set_blocking(self.pipe, False)
        try:
            said = json.loads(os.read(self.pipe, 1 << 16) or b"{}")
        except (BlockingIOError, ValueError):
            said = {}
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(status), said


def _buried(pid: int) -> int | None:
    """The status of a process that was killed; ``None`` where it does not end, and is left to the kernel."""
    until = time.monotonic() + _GRACE
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        if time.monotonic() > until:
            return None
        time.sleep(0.002)


def start(job: Job, function: TrialFunction, janitor: Janitor) -> Child:
    """Start ``job`` in a new process, see :func:`harness.engine.isolate.forked`."""
    pulse = Pulse()

    def work() -> dict[str, str]:
        os.setsid()  # Ctrl-C reaches the parent alone, which decides; and the whole group can be ended at once
        janitor.watch()
        take(pulse)
        return _work(job, function)

    return Child(job, *forked(work), time.monotonic(), pulse, janitor)


def _redirect(job: Job) -> None:
    """Everything written to stdout or stderr, by whatever library, goes to the trial's log."""
    job.folder.mkdir(parents=True, exist_ok=True)
    log = os.open(job.folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    faulthandler.enable(sys.stderr)  # a crash in native code leaves at least the Python lines in the log


def _work(job: Job, function: TrialFunction) -> dict[str, str]:
    """Run and record the trial; returns ``status`` (done, failed, out-of-memory, unsaved, lost) and a ``reason``."""
    trial, logged = job.trial, False
    try:
        _redirect(job)
        logged = True
        print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {trial.method} on {trial.benchmark}, seed {trial.seed} ({job.device})")
        if job.device.startswith("cpu"):
            one_thread()
        outcome = function(trial, data=job.data, work_dir=job.folder, device=job.device, batch_divisor=job.batch_divisor, **job.options)
        outcome.notes = [*job.notes, *outcome.notes, *_leave(job)]
    except BaseException as error:
        if logged:
            with contextlib.suppress(OSError):
                traceback.print_exc()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"status": "unsaved", "reason": f"no space left on the disk of {job.folder}"}
        kind = _kind(error)
        if kind == "out-of-memory" and not job.last:
            return {"status": kind, "reason": one_line(error)}
        reason = one_line(error)
        _leave(job)
        return _record(job, lambda store: store.fail(trial.digest, job.token, kind, reason), "failed", reason)
    return _record(job, lambda store: store.finish(trial.digest, job.token, outcome), "done", "")


def _leave(job: Job) -> list[str]:
    """Copy what others may want to see to where the run was told to; what is to be noted if that fails."""
    if (url := paths.artifacts()) is None:
        return []
    sys.stdout.flush()
    try:
        remote.put(url, job.folder, job.trial.digest)
    except HarnessError as error:
        said = f"its files are in {job.folder} of {os.uname().nodename} only: {one_line(error)}"
        print(said)
        return [said]
    return []


@cache
def thread_pools() -> Any:
    """The pools of all native libraries that are loaded; found once, before the first trial is forked."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> None:
    """As many trials run as there are cores; and a sum over several threads would depend on their number.

    A pool that is told so after a fork starts its threads once more, which spin for 20 ms: call it before the fork, too.
    """
    for pool in thread_pools().lib_controllers:
        if pool.num_threads != 1:
            pool.set_num_threads(1)


def _kind(error: BaseException) -> str:
    if isinstance(error, TrialError):
        return "no-result"
    if isinstance(error, MemoryError):
        return "out-of-memory"
    if "torch" in sys.modules:
        from harness.engine.trial import kind_of

        return kind_of(error)
    return "error"


def _record(job: Job, write: Callable[[Store], bool], status: str, reason: str) -> dict[str, str]:
    for pause in (*_PATIENCE, None):
        try:
            if write(open_store(job.url)):
                return {"status": status, "reason": reason}
            return {"status": "lost", "reason": "another run took the trial over"}
        except StoreError as error:
            print(error)
            if pause is None:
                return {"status": "unsaved", "reason": str(error)}
            time.sleep(pause)
    raise AssertionError("unreachable")
