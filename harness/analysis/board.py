"""A leaderboard as it is shown: rows of a benchmark, a method and a metric, in blocks of what may be compared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from harness.analysis.inference.pareto import pareto_front
from harness.analysis.missing import Missing
from harness.analysis.settings import Setting, of_method
from harness.analysis.standing import Standing
from harness.outcome import Cost

Interval = Literal["moderated", "t", "samples"]
"""Of what an interval is. Over seeds: ``moderated`` borrows strength from the block's other methods, ``t`` is Student's, from the
method's own seeds alone. ``samples``: over the test samples of one seed."""


@dataclass(frozen=True)
class Row:
    """One benchmark x method x metric."""

    benchmark: str
    version: int
    dataset: str
    """Fingerprint of the dataset."""
    family: str
    tier: str
    slot: str
    method: str
    metric: str
    """``name``, or ``name/scene`` for one scene or class."""
    title: str
    unit: str
    higher_is_better: bool
    primary: bool
    """Whether the benchmark is sorted by this metric."""
    mean: float
    std: float | None
    ci95: tuple[float, float] | None
    interval: Interval | None
    """What ``ci95`` is; ``None`` where there is none."""
    n: int
    """Seeds."""
    floor: float | None
    below_floor: bool
    cost: Cost
    digests: tuple[str, ...]
    """The trials behind the row, in the order of ``seeds``."""
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """The metric of each trial, in the order of ``seeds``."""
    setting: Setting
    """Rows of a benchmark's version with another one are a block of their own."""
    differs: str
    """How the block differs from the benchmark's first, or from what is registered, the budget of tuned methods always; empty for what
    is registered."""
    overrides: tuple[str, ...] = ()
    """What ``--set`` changed, of the method too."""
    map: str | None = None
    """Object localization: which map of the model located objects."""
    collapsed: int = 0
    """Seeds in which the attention of a layer has collapsed."""
    rough: tuple[str, ...] = ()
    """Costs that no seed measured while nothing else disturbed."""

    @property
    def block(self) -> Block:
        return self.benchmark, self.version, self.setting

    @property
    def signs(self) -> str:
        """Beside the method: ``†`` where attention collapsed, ``‡`` where ``--set`` changed the method."""
        return "†" * bool(self.collapsed) + "‡" * bool(of_method(self.overrides))


Block = tuple[str, int, Setting]
"""Benchmark, version and setting: what stands in one table."""


@dataclass(frozen=True)
class Board:
    """Rows in the order they are shown, and what a reader should know about what is not shown."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    """Seeds that were asked for and have no result, by block; of methods, and of whole blocks, without rows too."""
    since: list[Missing] = field(default_factory=list)
    """What was planned after the results that are shown, with other settings or sources, and has no result yet."""

    def blocks(self) -> dict[Block, dict[str, list[Row]]]:
        """Rows by block and method, both in the order they are shown; a benchmark's registered setting comes first."""
        blocks: dict[Block, dict[str, list[Row]]] = {}
        for row in self.rows:
            blocks.setdefault(row.block, {}).setdefault(row.method, []).append(row)
        return blocks

    def standing(self, row: Row) -> Standing:
        """Of the block a row is of."""
        return self.standings[row.block]

    def lacks(self, block: Block, method: str) -> Missing | None:
        """What is missing of a method."""
        return self._missing.get((block, method))

    def caveats(self, block: Block, methods: Collection[str]) -> tuple[str, ...]:
        """What means of some methods pass over: seeds without a result, and newer settings or sources without any."""
        without = [lacks.survivors for name in methods if (lacks := self.lacks(block, name))]
        return *without, *(lacks.overtaken for lacks in self.since if lacks.block == block and lacks.method in methods)

    def without(self, block: Block) -> list[Missing]:
        """What is missing of methods that have no row in a block."""
        return [lacks for lacks in self.missing if lacks.block == block and not lacks.ended]

    @cached_property
    def _missing(self) -> dict[tuple[Block, str], Missing]:
        return {(lacks.block, lacks.method): lacks for lacks in self.missing}

    @property
    def empty(self) -> dict[Block, list[Missing]]:
        """What is missing of blocks that have no row."""
        found: dict[Block, list[Missing]] = defaultdict(list)
        shown = {row.block for row in self.rows}
        for lacks in self.missing:
            if lacks.block not in shown:
                found[lacks.block].append(lacks)
        return dict(found)

    @cached_property
    def standings(self) -> dict[Block, Standing]:
        """How the methods of each block stand to each other by its primary metric."""
        found = {}
        for block, methods in self.blocks().items():
            rows = [row for some in methods.values() for row in some]
            values = {row.method: row.values for row in rows if row.primary}
            found[block] = Standing(values, rows[0].unit, rows[0].higher_is_better)
        return found

    def fronts(self, costs: Sequence[str]) -> dict[Block, set[str]]:
        """Methods of each block that no other beats in the mean of the primary metric and in all of some fields of :class:`Cost`."""
        found = {}
        for block, methods in self.blocks().items():
            rows = [row for some in methods.values() for row in some if row.primary]
            prices = [[math.nan if (value := getattr(row.cost, name)) is None else value for row in rows] for name in costs]
            if rows:
                best = pareto_front([row.mean for row in rows], *prices, higher_is_better=rows[0].higher_is_better)
            found[block] = {row.method for row, is_best in zip(rows, best, strict=True) if is_best} if rows else set()
        return found

    def parted(self) -> tuple[list[list[Row]], list[list[Row]]]:
        """The first block of each version of a benchmark, and those of its other settings."""
        seen: set[tuple[str, int]] = set()
        first: list[list[Row]] = []
        apart: list[list[Row]] = []
        for (benchmark, version, _), methods in self.blocks().items():
            rows = [row for some in methods.values() for row in some]
            (apart if (benchmark, version) in seen else first).append(rows)
            seen.add((benchmark, version))
        return first, apart

    def part(self, keep: Callable[[Block, str], bool]) -> Board:
        """What ``keep`` takes of blocks and methods, which stand to each other as among all."""
        rows = [row for row in self.rows if keep(row.block, row.method)]
        missing, since = ([lacks for lacks in some if keep(lacks.block, lacks.method)] for some in (self.missing, self.since))
        found = Board(rows, self.notes, missing, since)
        found.__dict__["standings"] = self.standings
        return found

    def of(self, methods: Collection[str]) -> Board:
        """The rows of some methods."""
        missing, since = ([lacks for lacks in some if lacks.method in methods] for some in (self.missing, self.since))
        return Board([row for row in self.rows if row.method in methods], self.notes, missing, since)
