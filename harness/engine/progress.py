"""What a run tells whoever watches it, and its guess of the time left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from harness.compose import Trial

EventKind = Literal["planned", "prepare", "started", "done", "failed", "again", "waiting", "warning", "tick"]


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    total: int
    done: int
    """Done now or before."""
    failed: int
    running: int
    seconds_left: float | None
    """``None`` when nothing is left."""


@dataclass(frozen=True)
class Event:
    """Something happened. ``tick`` comes about once a second, so that a display needs no thread of its own."""

    kind: EventKind
    progress: Progress
    trial: Trial | None = None
    message: str = ""


class Estimate:
    """Time left, from expected costs corrected by what trials of the same benchmark really took."""

    def __init__(self) -> None:
        self._expected: dict[str, float] = defaultdict(float)
        self._measured: dict[str, float] = defaultdict(float)

    def learn(self, trial: Trial, seconds: float) -> None:
        """A trial took ``seconds``."""
        for key in (trial.benchmark, ""):
            self._expected[key] += trial.cost
            self._measured[key] += seconds

    def of(self, trial: Trial) -> float:
        """Seconds a trial will take."""
        key = trial.benchmark if self._expected[trial.benchmark] else ""
        ratio = self._measured[key] / self._expected[key] if self._expected[key] else 1.0
        return trial.cost * ratio

    def left(self, waiting: Iterable[Trial], running: Iterable[tuple[Trial, float]], workers: int) -> float | None:
        """Seconds until all are done.

        Args:
            running: trials with the seconds they have run for.
        """
        rest = [self.of(trial) for trial in waiting] + [max(0.0, self.of(trial) - spent) for trial, spent in running]
        if not rest:
            return None
        return max(sum(rest) / workers, max(rest))


class Tally:
    """Counts what has happened, and tells it."""

    def __init__(self, total: int, done: int, failed: int, workers: int, on_event: Callable[[Event], None]):
        """
        Args:
            total: trials of the whole selection, of which
            done, failed: have ended already.
        """
        self.total = total
        self.done = done
        self.failed = failed
        self.estimate = Estimate()
        self._workers = workers
        self._on_event = on_event

    def tell(
        self, kind: EventKind, waiting: Iterable[Trial], running: list[tuple[Trial, float]], trial: Trial | None, message: str
    ) -> None:
        """Report an event with the present counts; the arguments are those of :meth:`Estimate.left` and :class:`Event`."""
        left = self.estimate.left(waiting, running, self._workers)
        self._on_event(Event(kind, Progress(self.total, self.done, self.failed, len(running), left), trial, message))
