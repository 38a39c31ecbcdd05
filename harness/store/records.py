"""What the store returns: plain dataclasses without a tie to the database. Times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.engine.outcome import Cost

State = Literal["planned", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that is done, with all of its numbers."""

    digest: str
    benchmark: str
    version: int
    family: str
    tier: str
    method: str
    slot: str
    seed: int
    dataset: str
    """Fingerprint of the dataset."""
    config: str
    """Digest of the config, see :meth:`Store.config`."""
    environment: str | None
    """Digest of the environment, see :meth:`Store.environments`."""
    finished: float
    metrics: Mapping[str, float]
    """``name`` or ``name/scene`` -> value; NaN where undefined."""
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds: ``build``, ``train``, ``test``, ``cost``."""
    cost: Cost = field(default_factory=Cost)
    notes: tuple[str, ...] = ()
    plugins: Mapping[str, str] = field(default_factory=dict)
    """Plugin name -> digest of its source."""
    overrides: tuple[str, ...] = ()
    """What ``--set`` changed, as ``key=value``."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """Where a trial stands."""

    digest: str
    benchmark: str
    version: int
    family: str
    tier: str
    method: str
    slot: str
    seed: int
    state: State
    alive: bool
    """Whether the process that runs it still lives; ``running`` without it means it will be taken over."""
    kind: str | None
    """Kind of failure: ``no-result`` (a loss that is no number, say), ``error``, ``out-of-memory``, ``timeout``, ``crash``, ``killed``."""
    reason: str | None
    """One line."""
    attempts: int
    """How often it was started."""
    host: str | None
    pid: int | None
    created: float
    started: float | None
    finished: float | None
    log: str | None
    work_dir: str | None
    expected: float
    """Expected seconds on one core."""
    dataset: str
    notes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    """What ``--set`` changed, as ``key=value``."""

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds of the last attempt, where it ended."""
        return None if self.started is None or self.finished is None else self.finished - self.started


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """How to read a metric of a benchmark."""

    benchmark: str
    version: int
    metric: str
    unit: str
    higher_is_better: bool
    title: str = ""
    primary: bool = False
    per_scene: bool = False
    """Also reported as ``metric/scene``."""


@dataclass(frozen=True, slots=True)
class Floor:
    """A metric of the trivial predictor on one version of a dataset."""

    benchmark: str
    version: int
    dataset: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a trial: a run, by its process. Whoever has the token may write."""

    token: str
    host: str
    pid: int
    process_start: str
    """Tells the process from a later one with the same number."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import added."""

    trials: int
    """New or newly finished trials."""
    skipped: int
    """Trials that were there already."""
