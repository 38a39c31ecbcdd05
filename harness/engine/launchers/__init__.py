"""Launchers start trials and tell how they end: a module each, found by name here or by an entry point ``harness.launchers``.

A launcher's module has one function::

    def launch(store: Store, trials: list[Trial], settings: Settings, function: TrialFunction, tally: Tally) -> Launched

It takes trials from the queue in ``store`` by lease (:meth:`~harness.store.queue.Queue.claim`), has ``function`` called for each
in a process of its own, records every end in the store, tells ``tally`` what happens, and returns when nothing is left that it
could do. It raises :class:`~harness.store.StoreError` where the database failed for good.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError, did_you_mean
from harness.points import entry_points_of

SHIPPED = {"local": "harness.engine.launchers.local"}
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


@dataclass
class Launched:
    """How a launcher's work ended."""

    ran: set[str] = field(default_factory=set)
    """Trials it finished."""
    unsaved: dict[str, str] = field(default_factory=dict)
    """Trials that could not be recorded -> why."""
    interrupted: bool = False
    """Whether it was stopped, with everything given back to the queue."""


def names() -> dict[str, str]:
    """Launcher -> module, those of other packages included; a shipped name cannot be taken."""
    return {point.name: point.value for point in entry_points_of("harness.launchers")} | SHIPPED


def launcher(name: str) -> Callable[..., Launched]:
    """The ``launch`` of a launcher.

    Raises:
        UsageError: there is none of this name, or its module cannot be imported.
    """
    known = names()
    if name not in known:
        raise did_you_mean(name, known, "launcher")
    try:
        launch: Callable[..., Launched] = importlib.import_module(known[name]).launch
    except Exception as error:  # whatever a package from outside raises
        raise UsageError(f"launcher '{name}' cannot be imported from {known[name]}: {type(error).__name__}: {error}.") from error
    return launch
