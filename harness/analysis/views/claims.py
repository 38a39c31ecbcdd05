"""What papers claim, with what was measured here: a line per claim, and its evidence beside what is printed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import families
from harness.analysis.claims import tables, verdicts
from harness.analysis.claims.verdicts import VERDICTS, Judged, Verdict
from harness.analysis.numbers import change

if TYPE_CHECKING:
    from harness.catalog import Claim

NOWHERE = "no benchmark yet"
"""Stands for the tier of claims that no benchmark can judge."""

TIERS = (*families.TIERS, NOWHERE)


@dataclass(frozen=True)
class Line:
    """A claim on every tier that can judge it."""

    claim: Claim
    published: str
    """The printed differences: their range per unit."""
    judged: tuple[Judged, ...]
    """One per tier."""

    @property
    def id(self) -> str:
        return self.claim.id

    def on(self, tier: str) -> Judged | None:
        """What was found on a tier of :data:`TIERS`."""
        return next((row for row in self.judged if (row.tier or NOWHERE) == tier), None)

    def said(self, tier: str) -> str:
        """The verdict of a tier with what it rests on, as on the command line."""
        return tables.cell(self.on(tier))

    @property
    def verdicts(self) -> set[Verdict]:
        return {row.verdict for row in self.judged}


def lines(
    judged: Iterable[Judged],
    *,
    family: Collection[str] = (),
    tier: Collection[str] = (),
    verdict: Collection[str] = (),
    method: Collection[str] = (),
    words: str = "",
) -> list[Line]:
    """The claims that pass all filters, in the registry's order; an empty filter lets all pass.

    Args:
        tier: with ``verdict`` the claims that have one of these verdicts on one of these tiers.
        words: all of them stand in the claim's id, statement, source or methods, whatever their case.
    """
    by_claim: dict[str, list[Judged]] = {}
    for row in judged:
        by_claim.setdefault(row.claim.id, []).append(row)
    wanted = words.casefold().split()
    found = []
    for some in by_claim.values():
        claim = some[0].claim
        text = " ".join((claim.id, claim.statement, claim.source, *claim.methods)).casefold()
        there = [row for row in some if not tier or (row.tier or NOWHERE) in tier]
        if (
            (not family or claim.family in family)
            and (not method or {*method} & {*claim.methods})
            and any(not verdict or row.verdict in verdict for row in there)
            and all(word in text for word in wanted)
        ):
            found.append(Line(claim, tables.published_text(claim), tuple(some)))
    return found


def counts(some: Sequence[Line]) -> dict[str, dict[Verdict, int]]:
    """Tier -> verdict -> number of claims, without what there is none of."""
    found: dict[str, dict[Verdict, int]] = {}
    for tier in TIERS:
        rows = [row for line in some if (row := line.on(tier))]
        if numbers := {verdict: count for verdict in VERDICTS if (count := sum(row.verdict == verdict for row in rows))}:
            found[tier] = numbers
    return found


@dataclass(frozen=True)
class Difference:
    """One difference towards the claim, printed or measured; positive is as claimed."""

    tier: str
    """:data:`PRINTED`, or a tier."""
    where: str
    """A place in a paper, or a benchmark with its version."""
    unit: str
    difference: float
    ci95: tuple[float, float] | None
    verdict: Verdict | None
    """``None`` for a printed one."""
    text: str
    """The number and its interval."""
    seeds: str = ""
    notes: tuple[str, ...] = ()
    benchmark: str = ""


PRINTED = "published"


def differences(line: Line) -> list[Difference]:
    """What is printed, then what was measured, tier by tier."""
    claim = line.claim
    found = []
    for item, value in zip(claim.published, verdicts.published(claim), strict=True):
        where, text = item.place or ", ".join(item.where.values()), f"{change(value)} {item.unit}".strip()
        found.append(Difference(PRINTED, where, item.unit, value, None, None, text))
    for row in line.judged:
        found += [
            Difference(
                row.tier or NOWHERE,
                f"{test.benchmark} v{test.version}",
                test.unit,
                test.difference,
                test.ci95,
                test.verdict,
                tables.measured(test),
                " / ".join(map(str, dict.fromkeys(test.seeds))),
                test.notes,
                test.benchmark,
            )
            for test in row.tests
        ]
    return found
