"""What the store holds and returns: plain dataclasses. Times are seconds since the epoch.

They are the one list of what is stored: tables and the lines of an export are made from them, and readers and writers go by the
names of their fields. A new field needs a migration, and the type :data:`~harness.outcome.Later` with a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from sqlalchemy import String

from harness.outcome import Cost, Later
from harness.store.columns import Count, Digest, Kind, Long, Name, Score, Seconds, Short, Small, Texts, Time, Word, Words, field_names

State = Literal["planned", "running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a trial is, from the plan on: fields of :class:`harness.compose.Trial` by the same names."""

    digest: Digest
    benchmark: Name
    version: Count
    family: Word
    tier: Short
    method: Name
    slot: Long
    seed: int
    dataset: Word
    """Fingerprint of the dataset."""
    task: Later[Word] = ""
    """Digest of the data and its scores, see :mod:`harness.compose.setting`; empty for trials of harnesses that did not say."""
    setting: Later[Word] = ""
    """Digest of these with model and schedule; :meth:`Store.settings` has what is behind it. Empty as ``task``."""
    purpose: Later[Short] = ""
    """:data:`harness.compose.trial.TUNING` where it only helped to choose options; ``results`` leaves these out unless asked."""
    tuning: Later[Word] = ""
    """Digest of all that was tried to find its options, which :meth:`Store.config` has; empty where nothing was."""
    plugins: Words = field(default_factory=dict)
    """Plugin name -> digest of its source."""
    overrides: Later[Texts] = ()
    """What ``--set`` changed, as ``key=value``."""
    config_file: Later[str] = ""
    """The file that is its benchmark, as ``--config`` named it; empty for one that is registered."""
    config_digest: Digest
    """Of the config, see :meth:`Store.config`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord(Identity):
    """A row of the table of trials; the defaults are those of one that was just planned."""

    expected: Seconds
    """Expected seconds on one core."""
    created: Time
    environment_digest: Digest | None = None
    """Of the environment, see :meth:`Store.environments`."""
    state: Annotated[State, Kind(String(8), "")] = "planned"
    kind: Short | None = None
    """Kind of failure: ``no-result`` (a loss that is no number, say), ``error``, ``out-of-memory``, ``timeout``, ``crash``, ``killed``."""
    reason: str | None = None
    """One line."""
    attempts: Count = 0
    """How often it was started."""
    notes: Texts = ()
    labels: Later[Words] = field(default_factory=dict)
    """How the numbers came about, see :attr:`harness.outcome.Outcome.labels`."""
    started: Time | None = None
    finished: Time | None = None
    log: str | None = None
    work_dir: str | None = None

    token: Short | None = None
    """This and what follows is the lease, where there is one."""
    host: Long | None = None
    pid: Small | None = None
    process_start: Short | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(TrialRecord):
    """A trial that is done, with all of its numbers."""

    finished: Time
    metrics: Mapping[str, float]
    """``name`` or ``name/scene`` -> value; NaN where undefined."""
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds: ``build``, ``train``, ``test``, ``cost``, ``diagnostics``."""
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow(TrialRecord):
    """Where a trial stands."""

    alive: bool
    """Whether the process that runs it still lives; ``running`` without it means it will be taken over."""

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds of the last attempt, where it ended."""
        return None if self.started is None or self.finished is None else self.finished - self.started


@dataclass(frozen=True, slots=True)
class Lot:
    """How many trials stand alike, of those that a run planned at one time for one benchmark."""

    created: float
    """When they were planned: what one run adds to the queue has the same time."""
    benchmark: str
    state: State
    count: int
    expected: float
    """Expected seconds on one core, of all together."""
    timed: float
    """The same of those of which :attr:`seconds` are known."""
    seconds: float
    """Wall-clock seconds of the last attempts, of all together that have ended."""
    changed: float
    """When the last of them was planned, begun or ended."""


@dataclass(frozen=True, slots=True)
class Content:
    """A resolved config, the setting of trials, or the environment of a run (package versions, git sha, device, driver).

    It is kept once for all trials.
    """

    digest: Digest
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """How to read a metric of a benchmark."""

    benchmark: Name
    version: Count
    metric: Long
    unit: Short
    higher_is_better: bool
    title: str = ""
    primary: bool = False
    per_scene: bool = False
    """Also reported as ``metric/scene``."""


@dataclass(frozen=True, slots=True)
class PlacedSpec(MetricSpec):
    """With its place in the benchmark's own order."""

    position: Count = 0


@dataclass(frozen=True, slots=True)
class Floor:
    """A metric of the trivial predictor on one task."""

    benchmark: Name
    version: Count
    dataset: Word
    metric: Long
    value: Score
    task: Later[Word] = ""
    """:attr:`Identity.task`."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a trial: a run, by its process. Whoever has the token may write."""

    token: str
    host: str
    pid: int
    process_start: str
    """Tells the process from a later one with the same number."""


LEASED = (*field_names(Lease), "expires")
"""Fields of a trial that its lease fills; they do not travel to other databases."""

TRAVELS = {name: {"kind": "failure"}.get(name, name) for name in field_names(TrialRecord) if name not in LEASED}
"""Field of a trial -> its name in a line of an export, where ``kind`` is that of the line."""

PLACES = ("log", "work_dir", "reason")
"""Fields that name, or may name, files of one machine: a bare export leaves them out."""

SCHEMA = 1
"""Version of the format of exports."""


@dataclass(frozen=True, slots=True)
class Other:
    """A trial that is done here with another result than in a file: from another kind of device, or with other numbers."""

    digest: str
    device: str
    """``cpu`` or ``cuda``: where the result that is here was computed; empty where that is not recorded."""
    its_device: str
    """The same of the one in the file."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import added."""

    trials: int
    """New or newly finished trials."""
    skipped: int
    """Trials that were there already, with all that the file has of them."""
    completed: int = 0
    """Trials that were there already without scores of single samples, curves or places, which the file has of the same attempt."""
    others: tuple[Other, ...] = ()
    """Trials whose result here stays, and is another one than in the file."""
    floors: tuple[str, ...] = ()
    """Floors of which the same is true, in words."""
