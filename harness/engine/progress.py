"""What a run tells whoever watches it, and its guess of the time left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
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

    def learn(self, benchmark: str, expected: float, seconds: float) -> None:
        """Trials that were ``expected`` to take so long took ``seconds``."""
        for key in (benchmark, ""):
            self._expected[key] += expected
            self._measured[key] += seconds

    def of(self, benchmark: str, expected: float) -> float:
        """Seconds that a trial will take."""
        key = benchmark if self._expected[benchmark] else ""
        ratio = self._measured[key] / self._expected[key] if self._expected[key] else 1.0
        return expected * ratio

    def left(self, waiting: Iterable[tuple[str, float]], running: Iterable[tuple[str, float, float]], workers: int) -> float | None:
        """Seconds until all are done; ``None`` where nothing is left.

        Args:
            waiting: benchmark and expected seconds of each trial.
            running: the same, with the seconds it has run for.
        """
        rest = [self.of(*trial) for trial in waiting]
        rest += [max(0.0, self.of(benchmark, expected) - spent) for benchmark, expected, spent in running]
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
        """Report an event with the present counts.

        Args:
            running: trials with the seconds they have run for.
            kind, trial, message: of the event.
        """
        spent = [(some.benchmark, some.cost, seconds) for some, seconds in running]
        left = self.estimate.left(((some.benchmark, some.cost) for some in waiting), spent, self._workers)
        self._on_event(Event(kind, Progress(self.total, self.done, self.failed, len(running), left), trial, message))
