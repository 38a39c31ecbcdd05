"""What papers claim, held against what was measured here: one verdict per claim and tier, never a reproduction.

Each benchmark that was run is one test of a claim; docs/claims.md says what is tested and how a verdict is made of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from harness import families
from harness.analysis.claims.columns import Blocks
from harness.analysis.inference.mixtures import t_quantile
from harness.analysis.inference.pairs import Difference
from harness.analysis.settings import as_changed
from harness.analysis.statistics import LEVEL, holm
from harness.catalog.claims import EXACT

if TYPE_CHECKING:
    from harness.analysis.board import Row
    from harness.analysis.missing import Missing
    from harness.catalog import Claim
    from harness.families import Tier
    from harness.listing import Place

Verdict = Literal["agrees", "disagrees", "undecided", "not measured"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

HEAD = (
    "Measurements on synthetic and small benchmarks reproduce no paper: data, model and schedule are others, and `agrees` says that "
    "what was measured there lies in the direction of the claim."
)
"""Stands above every list of verdicts."""


@dataclass(frozen=True)
class Evidence:
    """A claim on one benchmark: rows of one version, setting and kind of device."""

    benchmark: str
    version: int
    measure: str
    unit: str
    higher_is_better: bool | None
    """``None`` for a diagnostic."""
    a: float
    """Mean over seeds of the method the claim is about."""
    b: float
    """Of what it is compared with."""
    seeds: tuple[int, int]
    difference: float
    """a - b towards the claim: positive where it is as claimed; plain a - b where both are said to be alike."""
    ci95: tuple[float, float] | None
    """Of the difference, of this test alone."""
    p: float | None
    """Two-sided, of this test alone; ``None`` under two seeds."""
    adjusted: float | None = None
    """By Holm over all tests of the tier."""
    towards: bool = False
    """Whether the difference is on the claim's side of what is tested: above 0, or within the margin."""
    notes: tuple[str, ...] = ()
    """What a reader should know of either side: what has no result, how their block differs from the leaderboard's first, attention that
    collapsed, tuning unless it is asked for, parameters that ``--set`` changed, floors that neither passes."""
    missing: tuple[Missing, ...] = ()
    """Seeds of either side that were asked for and have no result."""
    selected: bool = False
    """Whether what was found is in favour of a method of which seeds failed: those that did not are a selection, and decide nothing."""
    beaten: bool = False
    """Whether both sides are worse than the floor: which of two is further below what needs no learning decides nothing."""

    @property
    def verdict(self) -> Verdict:
        """What this benchmark alone says, with the correction for all that were looked at."""
        if self.selected or self.beaten or self.adjusted is None or self.adjusted >= 1 - LEVEL:
            return "undecided"
        return "agrees" if self.towards else "disagrees"


@dataclass(frozen=True)
class Lacking:
    """A benchmark that could say more of a claim."""

    benchmark: str
    why: str
    mended: bool = True
    """Whether running the claim's methods there mends it."""


@dataclass(frozen=True)
class Judged:
    """A claim on the benchmarks of one tier."""

    claim: Claim
    tier: Tier | None
    """``None`` where no benchmark can judge the claim."""
    tests: tuple[Evidence, ...]
    lacking: tuple[Lacking, ...] = ()
    why: str = ""
    """Why no benchmark can."""

    @property
    def reason(self) -> str:
        """Why it is not measured, or what more there is to measure."""
        where: dict[str, list[str]] = {}
        for item in self.lacking:
            where.setdefault(item.why, []).append(item.benchmark)
        return self.why or "; ".join(f"{why} on {', '.join(names)}" for why, names in where.items())

    @property
    def verdict(self) -> Verdict:
        """``agrees`` or ``disagrees`` where some benchmark says so and none the opposite; ``undecided`` where none or both do."""
        said = {test.verdict for test in self.tests} - {"undecided"}
        return said.pop() if len(said) == 1 else "undecided" if self.tests else "not measured"


def published(claim: Claim) -> list[float]:
    """The differences that the source prints, towards the claim as in :attr:`Evidence.difference`; empty where it prints none."""
    differences = [round(item.values[0] - item.values[1], 6) for item in claim.published]
    return differences if claim.kind == "alike" else [abs(difference) for difference in differences]


def judge(claims: Iterable[Claim], places: Mapping[str, Sequence[Place]], blocks: Blocks, why: Mapping[str, str]) -> list[Judged]:
    """Every claim on every tier that can judge it.

    Args:
        places: claim -> the benchmarks that can judge it.
        why: claim -> why none can.

    The p values of all tests of a tier are adjusted together (Holm), so that the chance of one or more wrong verdicts among them is at
    most 5 %.
    """
    found: list[Judged] = []
    for claim in claims:
        own = places.get(claim.id, ())
        tiers = [tier for tier in families.TIERS if any(place.tier == tier for place in own)]
        found += [_on_tier(claim, tier, [place for place in own if place.tier == tier], blocks) for tier in tiers]
        if not tiers:
            found.append(Judged(claim, None, (), why=why.get(claim.id, "")))
    return _corrected(found)


def _on_tier(claim: Claim, tier: Tier, own: Sequence[Place], blocks: Blocks) -> Judged:
    tests, lacking = [], []
    for place in own:
        done = blocks.run(place.benchmark)
        if absent := [name for name in claim.methods if name not in done]:
            without = {lacks.method: lacks.note for lacks in blocks.without(place.benchmark, absent)}
            never = [f"{' and '.join(names)} not run"] if (names := [name for name in absent if name not in without]) else []
            lacking.append(Lacking(place.benchmark, " and ".join([*without.values(), *never])))
        elif (block := blocks.find(place.benchmark, claim.methods)) is None:
            lacking.append(Lacking(place.benchmark, f"{' and '.join(claim.methods)} not run in one setting"))
        elif (test := _test(claim, place, block, blocks)) is None:
            lacking.append(Lacking(place.benchmark, f"{place.measure} not recorded", mended=False))
        else:
            tests.append(test)
            if test.selected:
                failed = [f"{lacks.method} failed in {lacks.failed} of {lacks.asked} seeds" for lacks in test.missing if lacks.failed]
                lacking.append(Lacking(place.benchmark, " and ".join(failed), mended=False))
            if test.p is None:
                few = min(test.seeds) < 2
                why = "seeds that do not differ" if math.isfinite(test.difference) else "a result that is not a number"
                lacking.append(Lacking(place.benchmark, "one seed only" if few else why, mended=few))
    return Judged(claim, tier, tuple(tests), tuple(lacking))


def _test(claim: Claim, place: Place, block: Mapping[str, list[Row]], blocks: Blocks) -> Evidence | None:
    column = blocks.column(block, place.measure)
    a, b = claim.method, claim.other
    if any(name not in column.values for name in claim.methods):
        return None
    mean_b: float
    if b is not None:
        mean_b, seeds_b = float(np.mean([*column.values[b].values()])), len(column.values[b])
        if place.measure in EXACT:
            found = Difference(float(np.mean([*column.values[a].values()])) - mean_b, 0.0, 1.0)
        else:
            found = column.between(a, b)
        difference = found.mean
    elif isinstance(claim.than, float):
        found = column.alone(a)
        difference, mean_b, seeds_b = found.mean - claim.than, claim.than, len(column.values[a])
    else:
        differences = column.minus(blocks.column(block, claim.than))
        if a not in differences.values:
            return None
        found = differences.alone(a)
        difference = found.mean
        mean_b = float(np.mean([*column.values[a].values()])) - difference
        seeds_b = len(differences.values[a])
    if claim.kind == "lower" or (claim.kind == "better" and column.higher_is_better is False):
        difference = -difference
    # alike: both one-sided tests of |difference| against the margin, each at half of the level, so that the two verdicts share it
    beyond = difference if claim.margin is None else claim.margin - abs(difference)
    known = np.isfinite(found.variance) and np.isfinite(difference)
    half = float(t_quantile(found.df, 1 - LEVEL) * np.sqrt(found.variance)) if known else np.nan
    missing = blocks.lacks(block, claim.methods)
    first = next(iter(block.values()))[0]
    sides = [row for name in claim.methods for row in block[name] if row.metric == place.measure]
    beaten = claim.kind == "better" and len(sides) > 1 and all(row.below_floor for row in sides)
    return Evidence(
        *(first.benchmark, first.version, place.measure, column.unit, column.higher_is_better),
        a=float(np.mean([*column.values[a].values()])),
        b=mean_b,
        seeds=(len(column.values[a]), seeds_b),
        difference=difference,
        ci95=column.scale.of_difference((difference - half, difference + half)) if known else None,
        p=found.p(beyond) if known else None,
        towards=beyond > 0,
        notes=(
            *blocks.caveats(block, claim.methods),
            *_apart(first),
            *(note for name in claim.methods for note in _notes(block[name][0], blocks.tuned)),
            *([f"{' and '.join(claim.methods)} are worse than the floor, so that their order decides nothing"] * beaten),
        ),
        missing=missing,
        selected=place.measure not in EXACT and any(lacks.failed for lacks in missing if _in_favour(claim, lacks.method, beyond > 0)),
        beaten=beaten,
    )


def _in_favour(claim: Claim, method: str, towards: bool) -> bool:
    """Whether what was found would be less if seeds of a method that failed had counted; what has no better or worse may be either."""
    return method == (claim.method if towards else claim.other) if claim.kind == "better" else True


def _apart(row: Row) -> Iterator[str]:
    """How the block differs, beside its budget, which is said of each method."""
    budget = row.setting.budget
    if parts := [part for part in row.differs.split("; ") if part and not (budget and part.startswith(budget))]:
        yield f"tested on another block than the leaderboard's first: {'; '.join(parts)}"


def _notes(row: Row, tuned: bool) -> Iterator[str]:
    if row.collapsed:
        yield f"the attention of {row.method} collapsed to next to one position in {row.collapsed} of {len(row.seeds)} seeds"
    if row.setting.budget and not tuned:
        yield f"{row.method} was {row.setting.budget}"
    if changed := as_changed(row.method, row.overrides):
        yield changed


def _corrected(found: Sequence[Judged]) -> list[Judged]:
    corrected = [*found]
    for tier in families.TIERS:
        places = [(i, j) for i, row in enumerate(found) if row.tier == tier for j, test in enumerate(row.tests) if test.p is not None]
        adjusted = holm([found[i].tests[j].p or 0.0 for i, j in places])
        for (i, j), p in zip(places, adjusted, strict=True):
            tests = [*corrected[i].tests]
            tests[j] = replace(tests[j], adjusted=p)
            corrected[i] = replace(corrected[i], tests=tuple(tests))
    return corrected


def as_json(rows: Iterable[Judged]) -> list[dict[str, Any]]:
    """Rows as plain data (docs/json.md)."""
    return [
        {
            "id": row.claim.id,
            "tier": row.tier,
            "source": f"{row.claim.source}: {row.claim.place}",
            "statement": row.claim.statement,
            "verdict": row.verdict,
            "family": row.claim.family,
            "methods": row.claim.methods,
            "measure": row.claim.measure,
            "published": [
                {"values": item.values, "unit": item.unit, "difference": difference, "where": dict(item.where), "place": item.place}
                for item, difference in zip(row.claim.published, published(row.claim), strict=True)
            ],
            "differs": row.claim.differs,
            "reason": row.reason,
            "tests": [_test_as_json(test) for test in row.tests],
        }
        for row in rows
    ]


def _test_as_json(test: Evidence) -> dict[str, Any]:
    found = {name: getattr(test, name) for name in (*_TEST_FIELDS, "verdict", "selected", "beaten")}
    return found | {"missing": [lacks.plain() for lacks in test.missing]}


_TEST_FIELDS = ("benchmark", "version", "measure", "unit", "a", "b", "seeds", "difference", "ci95", "p", "adjusted", "notes")
