"""Launchers start trials and tell how they end: a module each, found by name here or by an entry point ``harness.launchers``.

A launcher's module has one function::

    def launch(store: Store, trials: list[Trial], settings: Settings, function: TrialFunction, tally: Tally) -> Launched

It takes trials from the queue in ``store`` by lease (:meth:`~harness.store.queue.Queue.claim`), has ``function`` called for each
in a process of its own, records every end in the store, tells ``tally`` what happens, and returns when nothing is left that it
could do. It raises :class:`~harness.store.StoreError` where the database failed for good.

The module of a cluster, on which ``harness submit`` starts workers (:mod:`harness.engine.worker`), has another::

    def cluster(where: str, need: Need, options: Mapping[str, str]) -> Cluster
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.errors import UsageError, did_you_mean
from harness.points import entry_points_of

SHIPPED = {
    "local": "harness.engine.launchers.local",
    "ray": "harness.engine.launchers.ray",
    "slurm": "harness.engine.launchers.slurm",
}
"""Launcher -> its module."""


@dataclass(frozen=True)
class Settings:
    """How to run."""

    url: str
    data: dict[str, Path]
    """Benchmark -> the folder of its dataset."""
    folder: Path
    """Trials get a folder each in here."""
    devices: list[str]
    workers: int
    memory: Mapping[str, int] = field(default_factory=dict)
    """Device -> bytes that it has, of GPUs."""
    per_device: int | None = None
    """Trials on one device at the same time; ``None``: as many as its memory has room for, see :mod:`harness.engine.places`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the function that runs a trial."""
    time_limit: float | None = None
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Benchmark -> what is recorded with each of its trials."""
    most: int | None = None
    """How many trials are begun at most."""
    until: float | None = None
    """``time.monotonic()`` from which no trial is begun; those that run are finished."""
    patient: bool = True
    """Whether to wait for trials that others run, which may be lost there."""


@dataclass
class Launched:
    """How a launcher's work ended."""

    ran: set[str] = field(default_factory=set)
    """Trials it finished."""
    begun: int = 0
    """How often it began one."""
    unsaved: dict[str, str] = field(default_factory=dict)
    """Trials that could not be recorded -> why."""
    interrupted: bool = False
    """Whether it was stopped, with everything given back to the queue."""


def names() -> dict[str, str]:
    """Launcher -> module, those of other packages included; a shipped name cannot be taken."""
    return {point.name: point.value for point in entry_points_of("harness.launchers")} | SHIPPED


@dataclass(frozen=True)
class Need:
    """What a worker asks of a cluster."""

    cpus: float = 1.0
    gpus: float | None = None
    """A part of one, or several; ``None``: where the cluster has any, what its trials are known to take, or one."""
    memory: float | None = None
    """GiB."""


class Worker(Protocol):
    """A process on a cluster, or one that waits for room there."""

    def poll(self) -> tuple[int, str] | None:
        """Its exit code and last words; ``None`` before its end."""

    def stop(self) -> None:
        """End it; it gives its trials back."""


class Cluster(Protocol):
    """Machines that start processes."""

    @property
    def device(self) -> str:
        """``--device`` of a worker."""

    def gpu_memory(self) -> int | None:
        """Bytes of a GPU, of which a worker may be given a part; ``None`` where it may not, or :class:`Need` says how much it gets."""

    def room(self, gpus: float | None = None) -> int:
        """How many workers to start at most, with so much of a GPU, or what :class:`Need` says."""

    def start(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str], gpus: float | None = None) -> Worker:
        """Start ``harness ARGUMENTS`` in a folder, with some variables, as soon as there is room."""

    def close(self) -> None:
        """Leave the cluster."""


def launcher(name: str) -> Callable[..., Launched]:
    """The ``launch`` of a launcher.

    Raises:
        UsageError: there is none of this name, its module cannot be imported, or it is a cluster's.
    """
    launch: Callable[..., Launched] = _of(name, "launch", "`harness submit` starts workers there")
    return launch


def cluster(name: str) -> Callable[[str, Need, Mapping[str, str]], Cluster]:
    """The ``cluster`` of a launcher.

    Raises:
        UsageError: there is none of this name, its module cannot be imported, or it starts trials on this machine.
    """
    found: Callable[[str, Need, Mapping[str, str]], Cluster] = _of(name, "cluster", "`harness run` is what starts trials with it")
    return found


def _of(name: str, function: str, otherwise: str) -> Any:
    known = names()
    if name not in known:
        raise did_you_mean(name, known, "launcher")
    try:
        module = importlib.import_module(known[name])
    except Exception as error:  # whatever a package from outside raises
        raise UsageError(f"launcher '{name}' cannot be imported from {known[name]}: {type(error).__name__}: {error}.") from error
    if not hasattr(module, function):
        raise UsageError(f"launcher '{name}' has no `{function}`: {otherwise}.")
    return getattr(module, function)
