"""A baseline against now, worst first; and a metric over versions of the code."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.gate import reports
from harness.analysis.gate.outcome import Check, Entry, Status
from harness.analysis.numbers import NOTHING, change, number, signed

if TYPE_CHECKING:
    from harness.analysis.history.versions import History


@dataclass(frozen=True)
class Line:
    """One metric of one method on both sides."""

    entry: Entry
    share: float | None
    """The change as a multiple of what is allowed: under -1 is worse, above 1 better, whatever the metric's direction. ``None`` where
    there is no change to tell, or nothing that would be allowed."""
    baseline: str
    now: str
    change: str
    allowed: str

    @property
    def name(self) -> str:
        """Benchmark, method and metric."""
        return f"{self.entry.benchmark} · {self.entry.method} · {self.entry.metric}"


def lines(
    check: Check, *, status: Collection[str] = (), benchmark: Collection[str] = (), method: Collection[str] = (), primary: bool = False
) -> list[Line]:
    """The entries of a check that pass all filters, worst first; an empty filter lets all pass."""
    chosen = [
        entry
        for entry in check.entries
        if (not status or entry.status in status)
        and (not benchmark or entry.benchmark in benchmark)
        and (not method or entry.method in method)
        and (entry.primary or not primary)
    ]
    return [_line(entry) for entry in reports.in_order(chosen)]


def changed(lines: Iterable[Line]) -> list[Line]:
    """Those with a change to draw, the largest loss first and the largest gain last."""
    return sorted((line for line in lines if line.share), key=lambda line: line.share or 0.0)


def _line(entry: Entry) -> Line:
    allowed = entry.tolerance if entry.allowed is None else entry.allowed
    share = None
    if entry.difference is not None and allowed:
        share = (entry.difference if entry.higher_is_better else -entry.difference) / allowed
    return Line(
        entry,
        share,
        number(entry.baseline, entry.unit),
        number(entry.current, entry.unit),
        signed(entry.difference, entry.unit),
        number(allowed, entry.unit),
    )


def counts(check: Check) -> dict[Status, int]:
    """How many entries have which status, worst first, without what there is none of."""
    return {status: count for status in reports.SEVERITY if (count := len(check.of(status)))}


@dataclass(frozen=True)
class Step:
    """One version of the code in the history of a metric."""

    index: int
    """From 0, oldest first."""
    label: str
    """The day of its first trial and its revision."""
    mean: float
    seeds: tuple[tuple[int, float, str], ...]
    """(seed, value, digest of the trial)."""
    n: str
    """How many there are, ``2/5`` where others were asked for."""
    stretch: int
    """Number of the run of versions that may be held against each other."""
    text: str
    """The mean in the metric's decimals."""
    version: str
    revision: str
    day: str
    changed: str
    """What is other than before."""
    moved: float | None
    """Where the mean changed from here on: by how much."""
    better: bool | None
    """Whether that is for the better."""
    moved_text: str


def steps(history: History) -> list[Step]:
    """The versions of a history, oldest first."""
    at = {found.at: found for found in history.changes}
    found, stretch = [], -1
    for index, version in enumerate(history.versions):
        stretch += not version.comparable
        revision = version.revisions[-1] if version.revisions else NOTHING
        moved = at.get(index)
        apart = "" if index == 0 or version.comparable else "not comparable: "
        found.append(
            Step(
                index=index,
                label=f"{version.day[:10]} {revision if version.revisions else version.name}",
                mean=version.mean,
                seeds=tuple(zip(version.seeds, version.values, version.digests, strict=True)),
                n=str(len(version.seeds)) + f"/{version.asked}" * (version.asked > len(version.seeds)),
                stretch=stretch,
                text=number(version.mean, history.spec.unit),
                version=version.name,
                revision=revision,
                day=version.day,
                changed=apart + version.changed,
                moved=moved.after - moved.before if moved else None,
                better=history.better(moved) if moved else None,
                moved_text=f"{change(moved.after - moved.before)} {'better' if history.better(moved) else 'worse'}" if moved else "",
            )
        )
    return found


def cells(some: Iterable[Step], unit: str) -> list[list[str]]:
    """The steps as the cells of a table, with :data:`HEADER`."""
    rows = []
    for step in some:
        values = [value for _, value, _ in step.seeds]
        spread = f"{number(min(values), unit)} to {number(max(values), unit)}" if len(values) > 1 else ""
        rows.append([step.day, step.version, step.revision, step.n, step.text, spread, step.moved_text, step.changed])
    return rows


HEADER = ["first run (UTC)", "version", "revision", "n", "mean", "seeds", "change", "what is other than before"]
