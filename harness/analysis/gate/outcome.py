"""The outcome of a regression check: each entry's, and of all together one verdict and exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from harness.analysis.gate import costs as costs_
from harness.analysis.gate.origins import Source
from harness.texts import amount

if TYPE_CHECKING:
    from harness.store import TrialRow

Status = Literal["same", "better", "worse", "missing", "incomparable", "new"]
Verdict = Literal["passed", "regression", "incomplete", "nothing to compare"]

EXIT_CODES: dict[Verdict, int] = {"passed": 0, "regression": 1, "incomplete": 3, "nothing to compare": 4}


@dataclass(frozen=True)
class Entry:
    """One metric of one method on one benchmark, on both sides."""

    benchmark: str
    version: int
    method: str
    metric: str
    unit: str
    higher_is_better: bool
    baseline: float | None
    current: float | None
    difference: float | None
    """``current - baseline``."""
    tolerance: float | None
    """The smallest drop that means something."""
    n: int
    """Seeds measured now."""
    status: Status
    reason: str = ""
    """Why an entry is missing, incomparable or worse, where the numbers do not say it."""
    allowed: float | None = None
    """The drop that is no regression yet: the tolerance, or what noise may do where that is more."""
    source: Source | None = None
    primary: bool = False
    shared: int | None = None
    """Seeds that both sides have and that ``baseline``, ``current`` and ``difference`` are over, where the trials are the same; ``None``
    where each side is over all of its own."""


@dataclass(frozen=True)
class Check:
    """The outcome of a regression check."""

    entries: list[Entry]
    failed: list[TrialRow]
    """Trials of the baseline's methods that failed and have no result, of the settings and sources that ran or were planned last."""
    notes: list[str] = field(default_factory=list)
    costs: list[costs_.CostEntry] = field(default_factory=list)

    def of(self, status: Status) -> list[Entry]:
        """The entries with one status."""
        return [entry for entry in self.entries if entry.status == status]

    @property
    def verdict(self) -> Verdict:
        """A regression weighs most; then what is missing, incomparable or failed. An empty comparison never passes."""
        if self.of("worse") or costs_.more(self.costs):
            return "regression"
        compared = any(entry.n and entry.status not in ("new", "incomparable") for entry in self.entries)
        if not compared and not self.failed:
            return "nothing to compare"
        return "incomplete" if self.of("missing") or self.of("incomparable") or self.failed else "passed"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def summary(self) -> str:
        """One sentence."""
        counts = counted(self.entries)
        dearer = f"; {len(more)} cost more" if (more := costs_.more(self.costs)) else ""
        failed = f"; {amount(len(self.failed), 'trial')} failed" if self.failed else ""
        return f"{self.verdict}: {counts or 'no entries'}{dearer}{failed}"


def counted(entries: Collection[Entry]) -> str:
    """``71 same, 2 worse``."""
    counts = Counter(entry.status for entry in entries)
    return ", ".join(f"{counts[status]} {status}" for status in get_args(Status) if counts[status])
