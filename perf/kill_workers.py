"""Kill and stop workers of one queue at random, and see whether anything is lost, doubled, changed or left behind.

    python perf/kill_workers.py --faults 1000                                   # SQLite and PostgreSQL, six workers each
    python perf/kill_workers.py --faults 60 --gap 8 --workers 2 --real --only postgresql
    python perf/kill_workers.py --faults 30 --gap 8 --workers 1 --real --ray    # two Ray nodes besides

Workers (`harness.engine.worker`) share a queue. At random moments a worker or one of its trials' processes gets SIGKILL, SIGTERM or,
for up to some seconds, SIGSTOP; a worker that has ended is started again, and when all is done, further seeds are planned. Trials
are made up and take 0.3 s, while all around them is as always; with ``--real`` they are trained, by `harness worker`, and leases
have their usual length instead of 3 s. After the last fault a worker that is left alone must bring every trial to its end with the
numbers that it has undisturbed, bit for bit, and no process may be left. Exit code 0 if so, 1 if not. Needs Linux.
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
from queue_load import database

REGISTRY = (Path(__file__).parents[1] / "tests" / "tiny.yaml").read_text()
MARK = "HARNESS_KILL_WORKERS"
SECONDS = 0.3


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
    return Outcome(metrics=metrics(trial.digest), cost=Cost(params=1))


def plan(url: str, seeds: int) -> list[str]:
    """Put trials into the queue; their digests."""
    from harness.cli.planning import asked

    options = {"suite": None, "methods": ("gap", "gem"), "benchmarks": ("tiny",), "overrides": (), "tune": None, "tune_seeds": None}
    found = asked(seeds=seeds, data_root=None, db=url, plugins=(), retry_failed=False, **options)
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
    """Whether a process is a worker or a trial of one: not a janitor, whose death only loses a service, nor one of Ray's own."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"worker" in command and not any(other in command for other in (b"pgserver", b"postgres:", b"/ray/", b"ray::"))
    return False


def trouble(kind: str, given: argparse.Namespace, here: Path) -> bool:
    """One database; whether all is well."""
    from harness.store import open_store

    mark = os.environ[MARK]
    dice = random.Random(given.seed)
    with database(kind, None) as url:
        seeds = 4 if given.real else 20
        planned = plan(url, seeds)
        herd = Herd(url, given.workers, given.real, dice)
        cluster, submitted = _ray(url, seeds) if given.ray else (None, None)
        began = time.monotonic()
        names = [number.name for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)]
        while sum(herd.happened[name] for name in names) < given.faults:
            herd.keep()
            time.sleep(dice.uniform(0, given.gap))
            herd.hurt(mark)
            if submitted is not None and submitted.poll() is not None:
                submitted = _submit(cluster, url, seeds)
            if set(open_store(url).states().values()) <= {"done", "failed"}:
                seeds += seeds
                planned = plan(url, seeds)
                herd.happened["times all was done, and more was planned"] += 1
        before = open_store(url).counts()
        herd.end()
        if submitted is not None:
            submitted.send_signal(signal.SIGINT)
            submitted.wait()
            with contextlib.suppress(Exception):  # of a Ray that is half gone
                cluster.shutdown()
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
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "harness",
                    "run",
                    "-b",
                    "tiny",
                    "-m",
                    "gap",
                    "-m",
                    "gem",
                    "--seeds",
                    str(seeds),
                    "--device",
                    "cpu",
                    "--db",
                    f"sqlite:///{here}/reference-{kind}.db",
                ],
                check=True,
                capture_output=True,
            )
            undisturbed = {r.digest: dict(r.metrics) for r in open_store(f"sqlite:///{here}/reference-{kind}.db").results()}
            reference = undisturbed.get
        differ = [digest for digest in planned if results.get(digest) != reference(digest)]
        failed = [f"{row.kind}: {row.reason}" for row in store.trials(states=["failed"])]
        attempts = sum(row.attempts for row in store.trials())
    good = not differ and not left and len(results) == len(planned) and code == 0
    told = ", ".join(f"{what} {count}" for what, count in sorted(herd.happened.items()))
    print(f"{kind}: {told}; {time.monotonic() - began:.0f} s")
    print(f"  {len(planned)} trials, {attempts} begun, {before} before the last worker, which ended with exit code {code}")
    print(
        f"  {len(planned) - len(differ)} equal, {len(differ)} lost or changed, {len(results) - len(planned)} too many, "
        f"failed {failed[:3]}, processes left {len(left)}: {'PASSED' if good else 'FAILED'}",
        flush=True,
    )
    return good


def _ray(url: str, seeds: int) -> tuple[Any, subprocess.Popen[bytes]]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    return cluster, _submit(cluster, url, seeds)


def _submit(cluster: Any, url: str, seeds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "harness", "submit", "-b", "tiny", "-m", "gap", "-m", "gem", "--seeds", str(seeds)]
    with open("submit.txt", "ab") as log:
        return subprocess.Popen([*command, "--db", url, "--ray", cluster.address], stdout=log, stderr=log)


def main() -> int:
    """Parse, trouble, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=1000, help="on each database")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--gap", type=float, default=0.3, help="longest time between two faults, in seconds")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--real", action="store_true", help="train, by `harness worker`")
    parser.add_argument("--ray", action="store_true", help="with a two-node Ray besides; needs --real")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if MARK not in os.environ:  # what this process starts is known by it
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, MARK: uuid.uuid4().hex})
    if not given.real:
        from harness.engine.launchers import local
        from harness.store import queue

        queue.EXPIRY, local.HEARTBEAT = 3.0, 1.0
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
