"""What a comparison says, in words: a sentence for each pair, or, of many pairs, one for each method."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.analysis.compare import Comparison
from harness.analysis.inference import power
from harness.analysis.numbers import points, significant
from harness.analysis.statistics import LEVEL

PAIRS = 6
"""Of one benchmark and setting, up to which each gets its sentence: those of four methods."""


def sentences(rows: Sequence[Comparison], place: Callable[[Comparison], str]) -> list[str]:
    """The verdicts of some rows, those of a benchmark and setting together, in the order given.

    Args:
        place: of a row, which begins its sentence.
    """
    blocks: dict[str, list[Comparison]] = {}
    for row in rows:
        blocks.setdefault(place(row), []).append(row)
    told = []
    for where, some in blocks.items():
        texts = [row.sentence for row in some] if len(some) <= PAIRS else _by_method(some)
        told += [f"{where}: {text}" for text in texts]
    return told


def _by_method(rows: Sequence[Comparison]) -> list[str]:
    means = {name: mean for row in rows for name, mean in ((row.method_a, row.a), (row.method_b, row.b))}
    beaten: dict[str, list[str]] = {name: [] for name in sorted(means, key=lambda name: means[name], reverse=rows[0].higher_is_better)}
    for row in rows:
        if row.verdict in ("a", "b"):
            better, other = (row.method_a, row.method_b) if row.verdict == "a" else (row.method_b, row.method_a)
            beaten[better].append(other)
    texts = []
    for name, worse in beaten.items():
        if worse:
            others = "all others" if len(worse) == len(beaten) - 1 else ", ".join(other for other in beaten if other in worse)
            texts.append(f"{name} is better than {others}.")
    if alike := [row for row in rows if row.verdict == "no difference shown"]:
        shown = [power.detectable(row.n, row.spread, alpha=(1 - LEVEL) / row.tests) for row in alike if row.spread is not None]
        ends = " to ".join(dict.fromkeys(significant(end, 2) for end in (min(shown), max(shown))))
        seeds = {row.n for row in alike}
        many = " to ".join(map(str, dict.fromkeys((min(seeds), max(seeds)))))
        here = f"{many} seeds show differences from {ends} {points(rows[0].unit)}".strip()
        texts.append(f"{len(alike)} of {len(rows)} pairs cannot be told apart: {here} on.")
    texts += [row.sentence for row in rows if row.verdict == "too few seeds"]
    return texts + [f"{caveat}." for caveat in dict.fromkeys(caveat for row in rows for caveat in row.caveats)]
