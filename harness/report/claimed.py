"""What papers claim, with what was measured of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness import families
from harness.analysis.claims import tables, verdicts
from harness.analysis.claims.verdicts import Judged

MARKS = {"agrees": "✓", "disagrees": "✗", "undecided": "~", "not measured": "-"}


@dataclass(frozen=True)
class Said:
    """A claim on the benchmarks of one tier."""

    tier: str
    verdict: str
    mark: str
    evidence: tuple[tuple[str, str, str, str, bool], ...]
    """Benchmark, difference with its measure, its interval, the p value by Holm, and whether there is a note about it."""


@dataclass(frozen=True)
class Claimed:
    """One claim."""

    id: str
    statement: str
    source: str
    published: str
    said: tuple[Said, ...]


@dataclass(frozen=True)
class Claims:
    """All claims that were measured, and how many were not."""

    head: str
    counts: tuple[str, ...]
    rows: tuple[Claimed, ...]
    notes: tuple[str, ...]
    """What a reader should know of the evidence, once each."""
    unmeasured: tuple[str, ...]
    """Claims that nothing here says anything of."""


def claims(judged: Sequence[Judged], family: str | None, benchmarks: Collection[str]) -> Claims:
    """What is shown of all claims.

    Verdicts stay those over all claims (Holm), whichever are shown.

    Args:
        family: only claims of this one.
        benchmarks: those of the report; of claims that others judge nothing is shown. None means all.
    """
    mine = [row for row in judged if family in (None, row.claim.family)]
    if benchmarks:
        mine = [row for row in mine if any(test.benchmark in benchmarks for test in row.tests)]
    grouped: dict[str, list[Judged]] = {}
    for row in mine:
        grouped.setdefault(row.claim.id, []).append(row)
    measured = {name: rows for name, rows in grouped.items() if any(row.tests for row in rows)}
    return Claims(
        verdicts.HEAD,
        tuple(tables.counts(mine)),
        tuple(_claimed(rows) for rows in measured.values()),
        tuple(tables.notes(row for rows in measured.values() for row in rows)),
        tuple(name for name in grouped if name not in measured),
    )


def _claimed(rows: Sequence[Judged]) -> Claimed:
    claim = rows[0].claim
    by_tier = {row.tier: row for row in rows if row.tests}
    said = tuple(_said(row) for tier in families.TIERS if (row := by_tier.get(tier)))
    return Claimed(claim.id, claim.statement, f"{claim.source}: {claim.place}", tables.published_text(claim), said)


def _said(row: Judged) -> Said:
    evidence = []
    for test, line in zip(row.tests, tables.evidence([row]), strict=True):
        cells = dict(zip(tables.EVIDENCE, line, strict=True))
        difference = f"{test.measure} {cells['difference']} {test.unit}".strip()
        evidence.append((cells["benchmark"], difference, cells["95 % interval"], cells["Holm"], bool(test.notes)))
    return Said(str(row.tier), row.verdict, MARKS[row.verdict], tuple(evidence))
