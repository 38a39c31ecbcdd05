"""Two methods on the same benchmarks and seeds: the difference, its interval and a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from harness.analysis.leaderboard import Board, Row
from harness.analysis.statistics import LEVEL, holm, paired

Verdict = Literal["a", "b", "no difference shown", "too few seeds"]


@dataclass(frozen=True)
class Comparison:
    """One metric of one benchmark, measured for both methods on the same seeds."""

    benchmark: str
    version: int
    metric: str
    unit: str
    higher_is_better: bool
    a: float
    """Mean over the seeds that both have."""
    b: float
    difference: float
    """a - b."""
    ci95: tuple[float, float] | None
    """Of the difference, not corrected."""
    p: float | None
    """Of the paired t-test, corrected by Holm over all rows of the comparison."""
    n: int
    """Pairs of seeds."""
    differs: str
    """How both were run, where that is not as registered; see :attr:`harness.analysis.leaderboard.Row.differs`."""
    verdict: Verdict = "too few seeds"


def compare(board: Board, a: str, b: str) -> list[Comparison]:
    """Compare two methods by the primary metric of every benchmark and setting that both were run on, seed by seed."""
    rows = []
    for methods in board.blocks().values():
        left, right = (next((row for row in methods.get(name, []) if row.primary), None) for name in (a, b))
        if left is not None and right is not None and (row := _pair(left, right)) is not None:
            rows.append(row)
    tested = {index: row.p for index, row in enumerate(rows) if row.p is not None}
    for index, p in zip(tested, holm(list(tested.values())), strict=True):
        rows[index] = replace(rows[index], p=p, verdict=_verdict(rows[index], p))
    return rows


def _pair(a: Row, b: Row) -> Comparison | None:
    of_b = dict(zip(b.seeds, b.values, strict=True))
    pairs = [(value, of_b[seed]) for seed, value in zip(a.seeds, a.values, strict=True) if seed in of_b]
    if not pairs:
        return None
    left, right = zip(*pairs, strict=True)
    result = paired(left, right)
    return Comparison(
        a.benchmark,
        a.version,
        a.metric,
        a.unit,
        a.higher_is_better,
        math.fsum(left) / len(left),
        math.fsum(right) / len(right),
        result.difference,
        result.ci95,
        result.p,
        result.n,
        a.differs,
    )


def _verdict(row: Comparison, p: float) -> Verdict:
    if p >= 1 - LEVEL:
        return "no difference shown"
    return "a" if (row.difference > 0) == row.higher_is_better else "b"
