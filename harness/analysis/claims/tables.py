"""Verdicts on claims as text: the overview, one claim with its evidence, and the commands that would measure more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness import families
from harness.analysis.claims.verdicts import HEAD, VERDICTS, Evidence, Judged, published
from harness.analysis.numbers import MEASURE, change, duration, interval, number, probability
from harness.analysis.settings import CHOICE
from harness.analysis.tables import markdown_table
from harness.outcome import COSTS

if TYPE_CHECKING:
    from harness.catalog import Benchmark, Claim


ON = {"synthetic": "on synthetic data", "small": "on small real datasets", "paper": "on benchmarks of papers", None: "no benchmark yet"}
"""How a tier is told."""

_SAID = {"agrees": "in the direction of the claim", "disagrees": "against it"}

HEADER = ["claim", "published", *families.TIERS]

HOLM = "An interval is of its test alone; verdicts hold for all tests of a tier together (5 %, Holm): an undecided one may leave 0 out."
"""What a reader of :func:`overview` and :func:`evidence` should know."""

SEEDS = 5
"""What :func:`commands` asks for."""


def counts(rows: Iterable[Judged]) -> list[str]:
    """A line per tier: how many claims have which verdict."""
    by_tier: dict[str | None, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by_tier[row.tier][row.verdict] += 1
    lines = []
    for tier in families.TIERS:
        said = ", ".join(f"{by_tier[tier][verdict]} {_SAID.get(verdict, verdict)}" for verdict in VERDICTS if by_tier[tier][verdict])
        if said:
            lines.append(f"{ON[tier]}: {said}")
    if None in by_tier:
        lines.append(f"{ON[None]}: {by_tier[None].total()}")
    return lines


def overview(rows: Iterable[Judged]) -> list[list[str]]:
    """One line per claim, with :data:`HEADER`."""
    by_claim: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        by_claim[row.claim.id].append(row)
    return [
        [name, published_text(some[0].claim), *(cell({row.tier: row for row in some}.get(tier)) for tier in families.TIERS)]
        for name, some in by_claim.items()
    ]


def published_text(claim: Claim) -> str:
    """The published differences of a claim: their range per unit."""
    by_unit: dict[str, list[float]] = defaultdict(list)
    for item, difference in zip(claim.published, published(claim), strict=True):
        by_unit[item.unit].append(difference)
    texts = []
    for unit, found in by_unit.items():
        ends = dict.fromkeys((change(min(found)), change(max(found))))
        texts.append(f"{' to '.join(ends)} {unit}")
    return ", ".join(texts) or "no number"


def cell(row: Judged | None) -> str:
    """A verdict with what each benchmark says, in a line; ``-`` where no benchmark of the tier can judge."""
    if row is None:
        return "-"
    if not row.tests:
        return row.verdict
    noted = " †" * any(test.notes for test in row.tests)
    said = Counter(test.verdict for test in row.tests)
    of = ", ".join(f"{said[verdict]} {verdict}" for verdict in VERDICTS if said[verdict])
    return f"{row.verdict}{f' ({of})' if len(said) > 1 else ''}: {'; '.join(map(measured, row.tests))}{noted}"


def measured(test: Evidence) -> str:
    """The difference with its unit, or what it is of where it has none, and its interval."""
    if (cost := COSTS.get(test.measure)) is not None:
        return f"{change(test.difference / cost.scale)} {cost.heading}"
    text = f"{change(test.difference)} {test.unit or test.measure}"
    exact = test.ci95 is None or test.ci95[0] == test.ci95[1]
    return text if exact else f"{text} ({interval(test.ci95)})"


def markdown(rows: Sequence[Judged], tuned: bool = False) -> str:
    """The overview as Markdown, with its head.

    Args:
        tuned: whether methods that were tuned alike are judged.
    """
    head = [HEAD, CHOICE] if tuned else [HEAD]
    parts = [*head, "\n".join(f"- {line}" for line in counts(rows)), markdown_table(HEADER, overview(rows)), HOLM, *notes(rows)]
    return "\n\n".join(parts) + "\n"


EVIDENCE = ["benchmark", "measure", "a", "b", "difference", "95 % interval", "p", "Holm", "seeds", "says"]


def evidence(rows: Iterable[Judged]) -> list[list[str]]:
    """What each benchmark says of a claim, with :data:`EVIDENCE`."""
    return [_evidence(test) for row in rows for test in row.tests]


def _evidence(test: Evidence) -> list[str]:
    unit = test.unit or (MEASURE if test.higher_is_better is None else "")
    return [
        f"{test.benchmark} v{test.version}",
        f"{test.measure} {test.unit}".strip(),
        number(test.a, unit),
        number(test.b, unit),
        change(test.difference),
        interval(test.ci95),
        probability(test.p),
        probability(test.adjusted),
        " / ".join(map(str, dict.fromkeys(test.seeds))),
        test.verdict,
    ]


def notes(rows: Iterable[Judged]) -> list[str]:
    """What a reader should know of the evidence, once each."""
    return [*dict.fromkeys(f"† {test.benchmark}: {note}." for row in rows for test in row.tests for note in test.notes)]


def about(claim: Claim) -> list[tuple[str, str]]:
    """What there is to say of a claim before its evidence, as (name, text)."""
    sides = [("a", claim.method), ("b", str(claim.than))]
    direction = {
        "better": f"a is better than b by {claim.measure}",
        "alike": f"a and b differ by less than {claim.margin} in {claim.measure}",
    }.get(claim.kind, f"{claim.measure} of a is {claim.kind} than b")
    numbers = [
        ("published", f"{item.values[0]:g} against {item.values[1]:g} {item.unit} ({item.place or ', '.join(item.where.values())})")
        for item in claim.published
    ]
    lines = [("source", f"{claim.source}: {claim.place}"), *sides, ("tested", direction), *(numbers or [("published", "no number")])]
    return [*lines, ("differs", claim.differs)] if claim.differs else lines


def commands(rows: Iterable[Judged], benchmarks: Mapping[str, Benchmark]) -> list[tuple[str, str]]:
    """(benchmark, the command that measures there what is not measured yet), cheapest first."""
    methods: dict[str, dict[str, None]] = defaultdict(dict)
    claims: dict[str, int] = defaultdict(int)
    for row in rows:
        for item in row.lacking:
            if item.mended:
                methods[item.benchmark] |= dict.fromkeys(row.claim.methods)
                claims[item.benchmark] += 1
    seconds = {name: benchmarks[name].cost * len(some) * SEEDS for name, some in methods.items()}
    return [
        (
            name,
            f"harness run -b {name} {' '.join(f'-m {method}' for method in methods[name])} --seeds {SEEDS}"
            f"  # {claims[name]} {'claim' if claims[name] == 1 else 'claims'}, {duration(seconds[name])} on one core",
        )
        for name in sorted(methods, key=seconds.__getitem__)
    ]
