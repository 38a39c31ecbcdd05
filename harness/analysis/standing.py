"""How the methods of one block stand to each other, by the values of its primary metric over seeds (docs/statistics.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from harness.analysis.inference import cells, pairs, power, ranking
from harness.analysis.inference.scales import scale_of
from harness.analysis.numbers import significant

SEEDS = (2, 3, 5, 10)
"""For which a benchmark's resolution is told."""

_MORE = (5, 10, 20, 50)
"""A head names the first of these that is more than what was run."""


def fit(values: Sequence[Sequence[float]], unit: str, *, moderated: bool = True) -> cells.Cells:
    """The methods of a block on the scale of a metric's unit; values are one row per method."""
    return _fit(tuple(map(tuple, values)), unit, moderated)


@lru_cache(512)  # of one block they are wanted for its intervals, and again for its ranks: those of all blocks of a board at once
def _fit(values: tuple[tuple[float, ...], ...], unit: str, moderated: bool) -> cells.Cells:
    return cells.fit(values, scale_of(unit, (value for row in values for value in row)), moderated=moderated)


@dataclass(frozen=True)
class Standing:
    """What can be told apart, and what could be. Nothing is computed before it is asked for: all pairs of 40 methods take a while."""

    values: Mapping[str, tuple[float, ...]]
    """Method -> one value per seed; best method first."""
    unit: str
    higher_is_better: bool

    @cached_property
    def cells(self) -> cells.Cells:
        return fit([*self.values.values()], self.unit)

    @cached_property
    def pairs(self) -> pairs.Pairs:
        return pairs.pairwise(self.cells)

    @cached_property
    def known(self) -> list[int]:
        """Methods with a spread: two seeds or more, all of them numbers."""
        return np.flatnonzero(np.isfinite(self.cells.variance) & (self.cells.n > 1)).tolist() if self.values else []

    @property
    def judged(self) -> bool:
        """Whether there are two methods whose seeds can be held against each other."""
        return len(self.known) > 1

    @cached_property
    def differ(self) -> np.ndarray:
        """(methods, methods): whether two can be told apart, all pairs together with 95 % confidence."""
        return self.pairs.differ()

    @cached_property
    def tied(self) -> dict[str, str]:
        """Letters of each method with a spread; those that share one cannot be told apart."""
        if not self.judged:
            return {}
        found = ranking.letters(range(len(self.known)), self.differ[np.ix_(self.known, self.known)])
        names = [*self.values]
        return {names[index]: letters for index, letters in zip(self.known, found, strict=True)}

    @cached_property
    def best(self) -> frozenset[str]:
        """The tie group of the best mean: methods with a spread that cannot be told apart from it; empty where nothing can be judged."""
        if not self.judged:
            return frozenset()
        names, first = [*self.values], self.known[0]
        return frozenset(names[index] for index in self.known if not self.differ[first, index])

    @cached_property
    def ranks(self) -> dict[str, tuple[int, int]]:
        """Lowest and highest rank of each method with a spread; one without may stand anywhere."""
        if not self.judged:
            return {}
        found = ranking.rank_intervals(self.cells.mean, self.pairs, higher_is_better=self.higher_is_better)
        names = [*self.values]
        return {names[index]: (int(found[index, 0]), int(found[index, 1])) for index in self.known}

    @property
    def seeds(self) -> int:
        """Fewest of a method with a spread."""
        return int(self.cells.n[self.known].min())

    @property
    def compared(self) -> int:
        """Pairs of methods with a spread."""
        return math.comb(len(self.known), 2)

    @property
    def told_apart(self) -> int:
        """Pairs of methods that differ."""
        return sum(bool(self.differ[i, j]) for i, j in combinations(self.known, 2))

    @cached_property
    def spread(self) -> power.Spread:
        return power.spread_of(self.cells)

    def shows(self, seeds: int) -> float:
        """Resolution: the smallest difference of two given methods, with the median spread of all, that so many seeds show with 80 %."""
        return power.detectable(seeds, self.spread)

    @cached_property
    def reliability(self) -> ranking.Reliability:
        """Of the order, with as many seeds as there are."""
        some = self.known
        return ranking.reliability(self.cells.mean[some], self.cells.std[some] ** 2, self.cells.n[some], self.seeds)

    def sentence(self) -> str:
        """What these seeds can show and do show, for the head of a table; empty where nothing can be judged."""
        if not self.judged:
            return ""
        now, more = self.seeds, next((count for count in _MORE if count > self.seeds), 2 * self.seeds)
        some = f"{now} seeds" if now == int(self.cells.n[self.known].max()) else f"{now}+ seeds"
        two = self.compared == 1
        both = "the two methods" + " that can be judged" * (len(self.values) > 2)
        if self.told_apart:
            some_or_all = "all" if self.told_apart == self.compared else f"{self.told_apart} of"
            what = f"{some} tell {both if two else f'{some_or_all} {self.compared} pairs'} apart"
        else:
            what = f"{f'{both} cannot' if two else 'no two methods can'} be told apart with {some}"
        here, there = (self.resolution(count) for count in (now, more))
        return f"{what} · resolution {here}, of {more} seeds {there}" + ("" if two else f" · τ {self.reliability.tau:.2f}")

    def resolution(self, seeds: int) -> str:
        """:meth:`shows` as text; percentages differ by no more than 100."""
        least = self.shows(seeds)
        return "none" if self.unit == "%" and least > 100 else significant(least, 2, self.unit)

    def plain(self) -> dict[str, Any]:
        """As plain data (docs/json.md)."""
        return {
            "seeds": self.seeds,
            "pairs": self.compared,
            "told_apart": self.told_apart,
            "resolution": {str(seeds): self.shows(seeds) for seeds in sorted({*SEEDS, self.seeds})},
            "tau": self.reliability.tau,
            "icc": self.reliability.icc,
        }
