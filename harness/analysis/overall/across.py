"""Pairs of methods over benchmarks whose metrics have one unit: signed ranks, and which is practically better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.analysis.inference.friedman import fewest, wilcoxon
from harness.analysis.inference.signed_rank import Practical, signed_rank
from harness.analysis.overall.summary import Overall


@dataclass(frozen=True)
class Across:
    """Two methods over several benchmarks."""

    method_a: str
    method_b: str
    benchmarks: int
    unit: str
    p: float
    """Of Wilcoxon's signed ranks, corrected by Holm over all pairs."""
    practical: Practical | None
    """Probabilities that, on a benchmark of this kind, a is better, neither by more than the rope, or b."""


def too_few(pairs: Sequence[Across]) -> str:
    """That signed ranks of pairs of one table can show nothing on so few benchmarks; empty where they can."""
    methods = len({name for pair in pairs for name in (pair.method_a, pair.method_b)})
    here, needed = pairs[0].benchmarks, fewest(methods)
    if here >= needed:
        return ""
    return f"Signed ranks (Wilcoxon) tell {methods} methods apart from {needed} benchmarks of one unit on; here are {here}."


def across(table: Overall, rope: float | None = None) -> list[Across]:
    """Each pair of methods on the benchmarks whose unit most have, where two or more do.

    Args:
        rope: a difference of practical interest, in the metrics' unit; ``None``: :attr:`Across.practical` is not worked out.
    """
    unit, count = Counter(table.units).most_common(1)[0]
    if count < 2:
        return []
    mine = [index for index, other in enumerate(table.units) if other == unit]
    values = table.means[mine] * np.where(np.array(table.higher_is_better)[mine], 1.0, -1.0)[:, None]
    p = wilcoxon(values)
    return [
        Across(
            table.methods[a],
            table.methods[b],
            count,
            unit,
            float(p[a, b]),
            None if rope is None else signed_rank(values[:, a], values[:, b], rope),
        )
        for a, b in combinations(range(len(table.methods)), 2)
    ]
