"""Methods against each other on the same benchmarks: the difference, how far it may be off, how large it is, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import numpy as np

from harness.analysis import sampled
from harness.analysis.board import Board, Row
from harness.analysis.inference import pairs, power
from harness.analysis.inference.cells import Cells
from harness.analysis.inference.hierarchical import compare_samples
from harness.analysis.inference.mixtures import sum_of_two
from harness.analysis.inference.samples import LEAST_GROUPS
from harness.analysis.missing import Missing
from harness.analysis.numbers import SHARE, signed
from harness.analysis.settings import as_changed, of_method
from harness.analysis.standing import Standing
from harness.analysis.statistics import LEVEL, holm
from harness.outcome import GROUP

Verdict = Literal["a", "b", "no difference shown", "too few seeds"]
Over = Literal["seeds and samples", "seeds", "samples"]

STILL = 1000
"""Differences this many times larger than one seed's standard deviation have no size in it."""

DRAWS = 1000
"""Resamples of the test samples; their number adds 2 % to a standard error."""


@dataclass(frozen=True)
class Comparison:
    """Two methods on the primary metric of one benchmark and setting."""

    benchmark: str
    version: int
    metric: str
    unit: str
    higher_is_better: bool
    method_a: str
    method_b: str
    a: float
    """Mean over the seeds that count."""
    b: float
    difference: float
    """a - b."""
    ci95: tuple[float, float] | None
    """Of the difference, not corrected."""
    over: Over | None
    """What the interval is over: with ``samples`` alone it speaks of the two trained models; ``None`` where there is none."""
    p: float | None
    """Corrected by Holm over all rows of the comparison; ``None`` under two seeds."""
    n: int
    """Seeds; the fewer of both where they are not paired."""
    samples: int | None
    groups: int | None
    """Of the samples; as many as these where each stands alone."""
    effect: float | None
    """The difference in standard deviations: over samples (Cohen's d_z) where they count, of one seed's value otherwise; ``None`` where
    seeds hardly differ."""
    superiority: float | None
    """Chance that a scores higher than b on a sample, ties counted half."""
    differs: str
    """How both were run, where that is not as registered; see :attr:`harness.analysis.board.Row.differs`."""
    digests_a: tuple[str, ...]
    """The trials behind it."""
    digests_b: tuple[str, ...]
    verdict: Verdict = "too few seeds"
    missing: tuple[Missing, ...] = ()
    """Seeds of either that were asked for and have no result."""
    overrides_a: tuple[str, ...] = ()
    """What ``--set`` changed of the method itself."""
    overrides_b: tuple[str, ...] = ()
    caveats: tuple[str, ...] = field(default=(), compare=False)
    """See :meth:`Board.caveats`; and parameters that ``--set`` changed."""
    spread: power.Spread | None = field(default=None, compare=False)
    tuned: bool = field(default=False, compare=False)
    """Whether options were chosen on the validation split, see :data:`harness.analysis.settings.CHOICE`."""
    tests: int = field(default=1, compare=False)
    """Rows of the comparison that Holm's correction is over."""

    @cached_property
    def sentence(self) -> str:
        """The verdict in words, with what more seeds would show, and what is in no number; worked out when it is read, of many pairs not at
        all."""
        return " ".join([_sentence(self), *(f"{told}." for told in self.caveats)])

    @property
    def size(self) -> str:
        """:attr:`effect` as text, with ``s`` where it is over samples."""
        return signed(self.effect, SHARE) + " s" * (self.samples is not None and self.effect is not None)

    def plain(self) -> dict[str, object]:
        """Without what only sentences are made of."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.compare}
        return told | {"sentence": self.sentence, "missing": [lacks.plain() for lacks in self.missing]}


def compare(
    board: Board, methods: Sequence[str], read: Callable[[list[str]], Mapping[str, sampled.Scores]] | None = None
) -> list[Comparison]:
    """Compare each pair of some methods by the primary metric of every block that both are in; never across blocks.

    Where both have the scores that the metric is made of, sample by sample, the comparison is over seeds and samples
    (:mod:`inference.hierarchical`); otherwise over seeds (:mod:`inference.pairs`). In both the variance over seeds is that of the
    leaderboard, which borrows strength from the other methods of the block. Samples are paired; seeds are not, since two or three say
    too little of a variance of differences, and seeds that help both methods only make this cautious.

    Args:
        read: digests -> scores by trial, see :meth:`Store.per_sample`; without it only seeds count.
    """
    rows = []
    for block, some in board.blocks().items():
        primary = {name: row for name, found in some.items() for row in found if row.primary}
        present = [name for name in methods if name in primary]
        trials = read([digest for name in present for digest in primary[name].digests]) if read and len(present) > 1 else {}
        for a, b in combinations(present, 2):
            row = _over_samples(board.standings[block], primary[a], primary[b], trials)
            row = row or _over_seeds(board.standings[block], primary[a], primary[b])
            missing = tuple(lacks for name in (a, b) if (lacks := board.lacks(block, name)))
            changed = [told for name in (a, b) if (told := as_changed(name, primary[name].overrides))]
            caveats = (*board.caveats(block, (a, b)), *changed)
            rows.append(replace(row, missing=missing, caveats=caveats, tuned=bool(primary[a].setting.budget)))
    tested = {index: row.p for index, row in enumerate(rows) if row.p is not None}
    for index, p in zip(tested, holm(list(tested.values())), strict=True):
        rows[index] = replace(rows[index], p=p, verdict=_verdict(rows[index], p), tests=len(tested))
    return rows


def _row(a: Row, b: Row, left: Sequence[float], right: Sequence[float], **found: Any) -> Comparison:
    means = math.fsum(left) / len(left), math.fsum(right) / len(right)
    about = {name: getattr(a, name) for name in ("benchmark", "version", "metric", "unit", "higher_is_better", "differs")}
    nothing = {"ci95": None, "over": None, "p": None, "samples": None, "groups": None, "effect": None, "superiority": None}
    behind = {"digests_a": a.digests, "digests_b": b.digests}
    behind |= {"overrides_a": of_method(a.overrides), "overrides_b": of_method(b.overrides)}
    told = {"method_a": a.method, "method_b": b.method, "a": means[0], "b": means[1], "difference": means[0] - means[1]}
    return Comparison(**(about | nothing | behind | told | found))


def _both(standing: Standing, a: Row, b: Row) -> Cells:
    """The two methods, as described among all of the block."""
    return standing.cells.of([[*standing.values].index(row.method) for row in (a, b)])


def _over_seeds(standing: Standing, a: Row, b: Row) -> Comparison:
    """By the means over all seeds of each, whether or not they share them."""
    n = min(a.n, b.n)
    cells = _both(standing, a, b)
    found = pairs.pairwise(cells)
    if not math.isfinite(found.p[0]):
        return _row(a, b, a.values, b.values, n=n)
    low, high = (float(end[0]) for end in found.interval())
    spread = power.spread_of(cells, (0, 1))
    scale = math.sqrt(spread.variance)
    return _row(
        a,
        b,
        a.values,
        b.values,
        n=n,
        ci95=cells.scale.of_difference((low, high)),
        over="seeds",
        p=float(found.p[0]),
        effect=float(found.difference[0]) / scale if STILL * scale > abs(found.difference[0]) else None,
        spread=spread,
    )


def _over_samples(standing: Standing, a: Row, b: Row, trials: Mapping[str, sampled.Scores]) -> Comparison | None:
    """By the seeds and samples of both; ``None`` where they are not stored, do not pair, or fall into too few groups, where both have
    two seeds or more but share fewer, where a score that one of them lacks leaves another mean than the metric's, and where no seeds say
    how much they differ."""
    made = sampled.made_of(a, trials)
    seeds = [seed for seed in a.seeds if seed in b.seeds]
    if made is None or made != sampled.made_of(b, trials) or len(seeds) < min(2, a.n, b.n):
        return None
    statistic, score = made
    digests = [tuple(row.digests[row.seeds.index(seed)] for seed in seeds) for row in (a, b)]
    scores = [trials[digest][score] for some in digests for digest in some]
    if len({some.size for some in scores}) > 1:
        return None
    stacked = np.stack(scores).astype(np.float64).reshape(2, len(seeds), -1)
    kept = np.isfinite(stacked).all((0, 1))
    if not kept.all():
        whole = [[statistic(sampled.finite(one), axis=-1) for one in some] for some in stacked]
        if not np.allclose(whole, statistic(stacked[:, :, kept], axis=-1), rtol=1e-9, atol=0):
            return None
    first = trials[a.digests[0]]
    if GROUP in first and first[GROUP].size != kept.size:
        return None
    labels = first[GROUP][kept] if GROUP in first else None
    if len(np.unique(labels) if labels is not None else np.flatnonzero(kept)) < LEAST_GROUPS:
        return None
    left, right = stacked[:, :, kept]
    several = len(seeds) > 1
    cells = _both(standing, a, b)
    if several and not np.isfinite(cells.variance).all():
        return None
    variance, df = (float(x) for x in sum_of_two(cells.variance[0], cells.df[0], cells.variance[1], cells.df[1]).matched())
    found = compare_samples(left, right, labels, statistic, moderated=(variance, df) if several else None, draws=DRAWS)
    return _row(
        a,
        b,
        statistic(left, axis=-1).tolist(),
        statistic(right, axis=-1).tolist(),
        n=len(seeds),
        digests_a=digests[0],
        digests_b=digests[1],
        ci95=cells.scale.of_difference(found.difference.interval),
        over="seeds and samples" if several else "samples",
        p=found.difference.p if several else None,
        samples=left.shape[1],
        groups=found.groups,
        effect=found.standardized,
        superiority=found.superiority.value,
        spread=replace(power.spread_of(cells, (0, 1)), fixed=found.sample_variance, fixed_df=found.groups - 1) if several else None,
    )


def _verdict(row: Comparison, p: float) -> Verdict:
    if p >= 1 - LEVEL:
        return "no difference shown"
    return "a" if (row.difference > 0) == row.higher_is_better else "b"


def _sentence(row: Comparison) -> str:
    if row.p is None or row.spread is None:
        if row.over != "samples" or row.ci95 is None:
            if row.n < 2:
                why = "2 seeds of each are needed"
            elif math.isfinite(row.difference):
                why = "their seeds do not differ, and no other method here says how much seeds do"
            else:
                why = "a result is not a number"
            return f"{row.method_a} and {row.method_b} cannot be judged: {why}."
        known = "differs" if row.ci95[0] > 0 or row.ci95[1] < 0 else "cannot be told apart"
        return f"on these samples one model of each {known}; 2 seeds are needed to say so of {row.method_a} and {row.method_b}."
    still = " Seeds give (nearly) the same value: the interval says nothing of other test images."
    verdict = power.verdict(
        row.method_a,
        row.method_b,
        row.difference,
        row.p,
        row.n,
        row.spread,
        higher_is_better=row.higher_is_better,
        unit=row.unit,
        alpha=(1 - LEVEL) / row.tests,
    )
    return verdict + still * (row.effect is None)
