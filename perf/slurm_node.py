"""A real Slurm of one node, and what `harness submit --slurm` does on it.

    apt-get install slurm-wlm munge      # as root; not part of any test, since it needs both daemons
    python perf/slurm_node.py            # as root, with attention-harness[slurm]; two to five minutes

Starts munged, slurmctld and slurmd with a configuration of their own in a folder that is removed again (an installation that runs already
is left alone: this refuses where one does). Then: the trials of `harness submit --slurm` have the numbers of `harness run`; Ctrl-C ends
the jobs and gives their trials back; a job that `scancel` kills is replaced, and every trial is done once.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REGISTRY = """
benchmarks:
  tiny:
    family: classification
    tier: synthetic
    data: {format: synthetic, train: 24, test: 12, size: 32}
    model: {backbone: resnet-narrow}
    schedule: {epochs: 1, batch_size: 12}
    cost: 2
"""
CONFIG = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={here}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={here}/state
SlurmdSpoolDir={here}/spool
SlurmctldPidFile={here}/slurmctld.pid
SlurmdPidFile={here}/slurmd.pid
SlurmctldLogFile={here}/slurmctld.log
SlurmdLogFile={here}/slurmd.log
SlurmctldPort={port}
SlurmdPort={other}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=20
InactiveLimit=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
SELECTED = ["-b", "tiny", "-m", "gap", "-m", "gem", "--seeds", "2"]


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


@contextmanager
def slurm(here: Path) -> Iterator[None]:
    """Both daemons and munge's, until the end of the block."""
    if subprocess.run(["sinfo"], capture_output=True).returncode == 0:
        raise SystemExit("there is a Slurm on this machine already")
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (here / name).mkdir()
    (here / "munge.key").write_bytes(os.urandom(128))
    (here / "munge.key").chmod(0o600)
    places = {"here": here, "host": host, "port": free_port(), "other": free_port(), "cpus": os.cpu_count()}
    (here / "slurm.conf").write_text(CONFIG.format(**places))
    os.environ["SLURM_CONF"] = str(here / "slurm.conf")
    munged = [
        "munged",
        "--foreground",
        "--force",
        f"--key-file={here}/munge.key",
        f"--socket={here}/munge.socket",
        f"--pid-file={here}/m.pid",
    ]
    commands = [
        [*munged, f"--log-file={here}/munge.log", f"--seed-file={here}/munge.seed"],
        ["slurmctld", "-D", "-f", f"{here}/slurm.conf"],
        ["slurmd", "-D", "-f", f"{here}/slurm.conf", "-N", host],
    ]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (here / f"{command[0]}.out").open("wb") as out:
                running.append(subprocess.Popen(command, stdout=out, stderr=out))
            time.sleep(2)
        give_up = time.monotonic() + 60
        while b"idle" not in subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True).stdout:
            if time.monotonic() > give_up or any(one.poll() is not None for one in running):
                logs = [f"{file.name}: {file.read_text(errors='replace')[-600:]}" for file in (*here.glob("*.log"), *here.glob("*.out"))]
                raise SystemExit("Slurm does not start:\n" + "\n".join(logs))
            time.sleep(0.5)
        yield
    finally:
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        for one in reversed(running):
            one.terminate()
            one.wait()


def begin(place: Path, *args: str) -> subprocess.Popen[str]:
    """`harness` in a folder."""
    environment = {**os.environ, "HARNESS_CACHE": str(place / "cache")}
    command = [sys.executable, "-m", "harness", *args]
    return subprocess.Popen(command, cwd=place, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def numbers(place: Path, name: str) -> dict[str, dict[str, float]]:
    """Digest -> metrics."""
    from harness.store import open_store

    return {result.digest: dict(result.metrics) for result in open_store(f"sqlite:///{place}/{name}.db", read_only=True).results()}


def queue() -> list[str]:
    """Jobs that wait or run."""
    return subprocess.run(["squeue", "-h", "-o", "%A %t"], capture_output=True, text=True).stdout.splitlines()


def until(what: str, true: object, seconds: float = 180.0) -> None:
    """Wait for it."""
    give_up = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > give_up:
            raise SystemExit(f"after {seconds:g} s not: {what}")
        time.sleep(0.2)


def main() -> int:
    """Start, submit, tell."""
    if shutil.which("slurmctld") is None or shutil.which("munged") is None:
        print("not run: slurmctld and munged are not installed. apt-get install slurm-wlm munge")
        return 2
    from harness.store import open_store

    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        here = Path(folder)
        here.chmod(0o755)
        (here / "registry.yaml").write_text(REGISTRY)
        with slurm(here):
            print(subprocess.run(["sinfo"], capture_output=True, text=True).stdout.strip())
            run = begin(here, "run", *SELECTED, "--device", "cpu", "--db", "sqlite:///here.db")
            assert run.wait() == 0, run.stderr.read()
            submitted = begin(here, "submit", *SELECTED, "--slurm", "--workers", "2", "--db", "sqlite:///slurm.db")
            said = submitted.communicate()[1]
            same = numbers(here, "slurm") == numbers(here, "here") != {}
            print(f"submit ended with {submitted.returncode}; numbers of harness run, bit for bit: {same}")

            long = ["-b", "tiny", "-m", "gap", "--seeds", "2", "--set", "schedule.epochs=3000"]
            stopped = begin(here, "submit", *long, "--slurm", "--workers", "2", "--db", "sqlite:///stopped.db")
            states = lambda: [*open_store(f"sqlite:///{here}/stopped.db", read_only=True).states().values()]  # noqa: E731
            until("a trial runs", lambda: (here / "stopped.db").exists() and "running" in states())
            stopped.send_signal(signal.SIGINT)
            code = stopped.wait(120)
            until("the jobs have ended", lambda: not queue())
            given_back = {row.state for row in open_store(f"sqlite:///{here}/stopped.db").trials() if row.alive} <= {"planned"}
            print(f"Ctrl-C: exit code {code}, no job left, trials given back: {given_back}")

            killed = begin(
                here, "submit", *SELECTED, "--set", "schedule.epochs=20", "--slurm", "--workers", "1", "--db", "sqlite:///killed.db"
            )
            until("a job runs", lambda: any(line.endswith(" R") for line in queue()))
            time.sleep(5)
            (victim, *_) = [line.split()[0] for line in queue()]
            subprocess.run(["scancel", "--signal=KILL", "--full", victim])
            code_killed = killed.wait(900)
            done = open_store(f"sqlite:///{here}/killed.db").states()
            print(f"scancel --signal=KILL: exit code {code_killed}, {[*done.values()].count('done')} of 4 trials done")
    good = submitted.returncode == 0 and same and code == 130 and given_back and code_killed == 0 and [*done.values()] == ["done"] * 4
    print("PASSED" if good else f"FAILED\n{said[-1500:]}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
