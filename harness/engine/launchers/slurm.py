"""Workers as jobs of Slurm, by submitit; without Slurm (``local``) as processes of this machine."""

from __future__ import annotations

import contextlib
import importlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yaml import YAMLError

from harness.catalog.plain import read
from harness.engine.launchers import Need
from harness.engine.launchers.bound import run
from harness.errors import UsageError

MEND = "Run `pip install 'attention-harness[slurm]'`."
ROOM = 64
"""Jobs at most: Slurm says when each begins."""


class _Worker:
    def __init__(self, job: Any):
        self._job = job

    def poll(self) -> tuple[int, str] | None:
        if not self._job.done():
            return None
        try:
            told: tuple[int, str] = self._job.result()
        except Exception as error:  # whatever submitit makes of a job that was lost
            return -1, str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        return told

    def stop(self) -> None:
        with contextlib.suppress(Exception):  # it may have ended meanwhile
            self._job.cancel()


class SlurmCluster:
    """The Slurm that this machine submits to."""

    def __init__(self, where: str, need: Need, options: Mapping[str, str]):
        """
        Args:
            where: ``slurm``, or ``local`` for processes of this machine.
            options: what ``submitit.AutoExecutor.update_parameters`` takes: ``slurm_partition``, ``timeout_min``...

        Raises:
            UsageError: submitit or Slurm is not there, or an option is wrong.
        """
        try:
            submitit = importlib.import_module("submitit")
        except ImportError:
            raise UsageError(f"submitit is not installed. {MEND}") from None
        folder = Path("results") / "slurm" / uuid.uuid4().hex[:8]  # on a file system that all nodes share
        wanted: dict[str, Any] = {"name": "harness", "cpus_per_task": max(1, int(need.cpus)), "timeout_min": 24 * 60}
        self._gpus = need.gpus or 0
        if self._gpus != int(self._gpus):
            raise UsageError(f"--gpus {need.gpus:g}: Slurm gives whole GPUs. Give 1, and --trials 2 for two trials at a time on it.")
        if self._gpus:
            wanted["gpus_per_node"] = int(self._gpus)
        if need.memory is not None:
            wanted["mem_gb"] = need.memory
        try:
            wanted |= {name: read(value) for name, value in options.items()}
        except (YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"--option: a value is no YAML ({' '.join(str(error).split())}).") from None
        try:
            self._executor = submitit.AutoExecutor(folder=folder.absolute(), cluster=where)
            self._executor.update_parameters(**wanted)
        except (RuntimeError, NameError, ValueError, TypeError, AssertionError) as error:
            raise UsageError(f"Slurm cannot be used: {error}. `sinfo` says whether it is there; --slurm local needs none.") from None

    @property
    def device(self) -> str:
        """Of a worker."""
        return "cuda" if self._gpus else "cpu"

    def gpu_memory(self) -> int | None:
        """Slurm gives whole GPUs."""
        return None

    def room(self, gpus: float | None = None) -> int:
        """How many jobs are submitted at most."""
        return ROOM

    def start(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str], gpus: float | None = None) -> _Worker:
        """A job; it begins when Slurm says so."""
        return _Worker(self._executor.submit(run, list(arguments), folder, dict(environment)))

    def close(self) -> None:
        """Nothing is held."""


cluster = SlurmCluster
