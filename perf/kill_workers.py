"""Kill and stop workers of one queue at random, and see whether anything is lost, doubled, changed or left behind.

    python perf/kill_workers.py --faults 1000                                   # SQLite and PostgreSQL, six workers each
    python perf/kill_workers.py --faults 60 --gap 8 --workers 2 --real --only postgresql
    python perf/kill_workers.py --faults 1000 --gap 6 --seconds 2 --workers 3 --ray --only postgresql      # two Ray nodes besides

Workers (`harness.engine.worker`) share a queue. At random moments a worker or one of its trials' processes gets SIGKILL, SIGTERM or,
for up to some seconds, SIGSTOP; a worker that has ended is started again, and when all is done, further trials are planned. With
``--ray``, `harness submit` has workers on two Ray nodes besides, which the queue takes for other machines; then it, its actors, and a
node with all that it runs are hurt, too. Trials are made up and take ``--seconds``, while all around them is as always; with ``--real``
they are trained, by `harness worker`, and leases have their usual length instead of 3 s. After the last fault a worker that is left
alone must bring every trial to its end with the numbers that it has undisturbed, bit for bit, and no process may be left. Exit code 0
if so, 1 if not. Needs Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kill_ray import NODE, Ray
from queue_load import database

REGISTRY = (Path(__file__).parents[1] / "tests" / "tiny.yaml").read_text()
MARK = "HARNESS_KILL_WORKERS"
SECONDS = 0.3
ROUND = 100
"""Seeds of the trials that are planned at a time."""


def marked(mark: str) -> list[int]:
    """Processes that come from this script, its own apart."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes() and (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def metrics(digest: str) -> dict[str, float]:
    """Of a made-up trial."""
    return {f"metric-{i}": float(value) for i, value in enumerate(np.random.default_rng(int(digest, 16)).random(5))}


def made_up(trial: Any, **_: Any) -> Any:
    """A trial function without a model."""
    from harness.outcome import Cost, Outcome

    time.sleep(SECONDS)
    return Outcome(metrics=metrics(trial.digest), cost=Cost(params=1), labels={"node": os.environ.get(NODE, "here").partition("-")[0]})


def hurry(seconds: float) -> None:
    """Let leases expire soon, and made-up trials take so long."""
    from harness.engine.launchers import local
    from harness.store import queue

    global SECONDS
    SECONDS = seconds
    queue.EXPIRY, local.HEARTBEAT = 3.0, 1.0


def selected(number: int, seeds: int) -> list[str]:
    """Options of `harness run` and `submit` for the trials of a round."""
    return ["-b", "tiny", "-m", "gap", "-m", "gem", "--seeds", str(seeds), "--set", f"schedule.lr={0.001 + number / 1e5:g}"]


def plan(url: str, number: int, seeds: int) -> list[str]:
    """Put the trials of a round into the queue; their digests."""
    from harness.cli.planning import asked

    options = {"suite": None, "methods": ("gap", "gem"), "benchmarks": ("tiny",), "tune": None, "tune_seeds": None, "configs": ()}
    overrides = (selected(number, seeds)[-1],)
    found = asked(seeds=seeds, data_root=None, db=url, plugins=(), retry_failed=False, keep=False, overrides=overrides, **options)
    with contextlib.redirect_stderr(None):
        found.prepare()
    found.fill()
    return [trial.digest for trial in found.plan.trials]


class Forked:
    """A worker of made-up trials, forked from this process, which has everything imported."""

    def __init__(self, url: str):
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            from harness.engine.worker import work

            code = 9
            try:
                log = os.open("workers.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(log, 1)
                os.dup2(log, 2)
                code = work(url, trial_function=made_up, device="cpu", workers=2, forever=True, results_dir=Path("results")).exit_code
            finally:
                traceback.print_exc()
                os._exit(code)

    def poll(self) -> int | None:
        """Its exit code."""
        if self.returncode is None and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.returncode = 0
        return self.returncode

    def kill(self) -> None:
        """End it."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Until it has ended."""
        if self.returncode is None:
            os.waitpid(self.pid, 0)
            self.returncode = 0


class Herd:
    """Workers, and who hurts them."""

    def __init__(self, url: str, workers: int, real: bool, dice: random.Random):
        self._url, self._count, self._real, self._dice = url, workers, real, dice
        self._workers: list[Any] = []
        self._stopped: set[int] = set()
        self.happened: Counter[str] = Counter()

    def keep(self) -> None:
        """As many workers as there are to be."""
        ended = [worker for worker in self._workers if worker.poll() is not None]
        self.happened["workers ended"] += len(ended)
        self._workers = [worker for worker in self._workers if worker not in ended]
        while len(self._workers) < self._count:
            self._workers.append(self.start("--forever"))

    def start(self, *more: str) -> Any:
        """A worker."""
        if not self._real:
            return Forked(self._url)
        command = [sys.executable, "-m", "harness", "worker", "--db", self._url, "--device", "cpu", "--workers", "1", *more]
        with open("workers.txt", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def hurt(self, mark: str) -> None:
        """One of all processes, workers or trials of theirs."""
        victims = [pid for pid in marked(mark) if pid not in self._stopped and _is_ours(pid)]
        if not victims:
            return
        victim = self._dice.choice(victims)
        if (actor := _actor(victim)) is not None and self._dice.random() < 0.3:
            self.happened["of these, actors of Ray"] += 1
            victim = actor
        number = self._dice.choices([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], [6, 2, 2])[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, number)
            self.happened[f"{number.name}"] += 1
            if number == signal.SIGSTOP:
                # by a process of its own: this one may wait for a lock that the stopped one holds
                wait = self._dice.uniform(0.0, 12.0 if not self._real else 120.0)
                subprocess.Popen(["sh", "-c", f"sleep {wait:.1f}; kill -CONT {victim}"], stderr=subprocess.DEVNULL)
                self._stopped.add(victim)

    def end(self) -> None:
        """Let all go on, and kill the workers: what these started must go by itself."""
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        for worker in self._workers:
            worker.kill()
            worker.wait()


def _is_ours(pid: int) -> bool:
    """Whether a process is a worker, a trial of one, or what started it: not a janitor, whose death only loses a service."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if any(other in command for other in (b"pgserver", b"postgres:", b"/ray/", b"gcs_server", b"raylet")):
            return False
        return b"worker" in command or b"\0submit\0" in command
    return False


def _actor(pid: int) -> int | None:
    """The process of Ray that started a worker."""
    with contextlib.suppress(OSError, ValueError):
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if Path(f"/proc/{parent}/cmdline").read_bytes().startswith(b"ray::"):
            return parent
    return None


FAULTS = ("SIGKILL", "SIGSTOP", "SIGTERM", "nodes killed")


def trouble(kind: str, given: argparse.Namespace, here: Path) -> bool:
    """One database; whether all is well."""
    from harness.store import open_store

    mark = os.environ[MARK]
    dice = random.Random(given.seed)
    with database(kind, None) as url:
        seeds = 4 if given.real else ROUND
        rounds = 1
        planned = plan(url, 0, seeds)
        herd = Herd(url, given.workers, given.real, dice)
        ray = Ray(url, None if given.real else given.seconds) if given.ray else None
        began, told_at = time.monotonic(), 0.0
        while (faults := sum(herd.happened[name] for name in FAULTS)) < given.faults:
            herd.keep()
            if ray and ray.keep(selected(rounds - 1, seeds)):
                herd.happened["ends of submit"] += 1
            time.sleep(dice.uniform(0, given.gap))
            if ray and dice.random() < 0.02:
                herd.happened["nodes killed"] += 1
                if not ray.lose_a_node():
                    herd.happened["Rays that did not come back"] += 1
                    ray.end()
                    ray = Ray(url, None if given.real else given.seconds)
            else:
                herd.hurt(mark)
            if set(open_store(url).states().values()) <= {"done", "failed"}:
                planned += plan(url, rounds, seeds)
                rounds += 1
            if time.monotonic() > told_at + 60:
                told_at = time.monotonic()
                print(f"{kind}: {faults} faults, {open_store(url).counts()}", flush=True)
        before = open_store(url).counts()
        herd.end()
        if ray:
            ray.end()
        time.sleep(3)
        left = [pid for pid in marked(mark) if _is_ours(pid)]
        last = herd.start() if given.real else None
        if last is None:
            from harness.engine.worker import work as run_all

            code = run_all(url, trial_function=made_up, device="cpu", workers=2, results_dir=Path("results")).exit_code
        else:
            code = last.wait()
        store = open_store(url)
        results = {result.digest: dict(result.metrics) for result in store.results()}
        reference: Callable[[str], dict[str, float] | None] = metrics
        if given.real:
            reference = undisturbed(f"sqlite:///{here}/reference-{kind}.db", rounds, seeds).get
        differ = [digest for digest in planned if results.get(digest) != reference(digest)]
        failed = [f"{row.kind}: {row.reason}" for row in store.trials(states=["failed"])]
        attempts = sum(row.attempts for row in store.trials())
        where = Counter(result.labels.get("node", "anywhere") for result in store.results())
    good = not differ and not left and len(results) == len(planned) and code == 0
    told = ", ".join(f"{what} {count}" for what, count in sorted(herd.happened.items()))
    print(f"{kind}: {told}; {time.monotonic() - began:.0f} s")
    print(
        f"  {len(planned)} trials, {attempts} begun, run {dict(where)}, {before} before the last worker, which ended with exit code {code}"
    )
    print(
        f"  {len(planned) - len(differ)} equal, {len(differ)} lost or changed, {len(results) - len(planned)} too many, "
        f"failed {failed[:3]}, processes left {len(left)}: {'PASSED' if good else 'FAILED'}",
        flush=True,
    )
    return good


def undisturbed(url: str, rounds: int, seeds: int) -> dict[str, dict[str, float]]:
    """The numbers of all rounds by one `harness run` after the other."""
    from harness.store import open_store

    for number in range(rounds):
        command = [sys.executable, "-m", "harness", "run", *selected(number, seeds), "--device", "cpu", "--db", url]
        subprocess.run(command, check=True, capture_output=True)
    return {result.digest: dict(result.metrics) for result in open_store(url).results()}


def main() -> int:
    """Parse, trouble, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=1000, help="on each database")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--gap", type=float, default=0.3, help="longest time between two faults, in seconds")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--real", action="store_true", help="train, by `harness worker`")
    parser.add_argument("--ray", action="store_true", help="with a two-node Ray besides")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that a made-up trial takes")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if MARK not in os.environ:  # what this process starts is known by it
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, MARK: uuid.uuid4().hex})
    if not given.real:
        hurry(given.seconds)
    here = Path(tempfile.mkdtemp(prefix="kill-workers-"))
    os.chdir(here)
    os.environ["HARNESS_CACHE"] = str(here / "cache")
    (here / "registry.yaml").write_text(REGISTRY)
    good = all([trouble(kind, given, here) for kind in ([given.only] if given.only else ("sqlite", "postgresql"))])
    if good:
        shutil.rmtree(here)
    else:
        print(f"everything is in {here}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
