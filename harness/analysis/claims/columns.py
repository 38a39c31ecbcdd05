"""One measure of all methods of a block, as claims ask for it, with the differences and variances that its seeds give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.inference import cells, pairs
from harness.analysis.inference.scales import LINEAR, Scale, scale_of
from harness.catalog.claims import EXACT

if TYPE_CHECKING:
    from harness.analysis.board import Board, Row
    from harness.analysis.diagnostics import Diagnostic
    from harness.analysis.missing import Missing
    from harness.analysis.settings import Setting


class Blocks:
    """The tables of a leaderboard, as claims ask for them: the registered setting of each benchmark, its newest version.

    Args:
        tuned: only tables whose methods were tuned, with one budget each; otherwise those as registered come first.
    """

    def __init__(self, board: Board, described: Iterable[Diagnostic], tuned: bool = False):
        self._board = board
        self.tuned = tuned
        self._blocks: dict[str, list[dict[str, list[Row]]]] = {}
        for (benchmark, _, setting), methods in board.blocks().items():
            if self._counts(setting):
                self._blocks.setdefault(benchmark, []).append(methods)
        self._described = {
            (row.benchmark, row.version, row.setting, row.method, row.measure): row for row in described if row.layer is None
        }
        self._columns: dict[tuple[int, str], Column] = {}

    def _counts(self, setting: Setting) -> bool:
        return setting.registered and (bool(setting.budget) or not self.tuned)

    def find(self, benchmark: str, methods: Sequence[str]) -> dict[str, list[Row]] | None:
        """The first block with all of these methods."""
        return next((block for block in self._blocks.get(benchmark, []) if all(name in block for name in methods)), None)

    def run(self, benchmark: str) -> set[str]:
        """Methods that were run there."""
        return {name for block in self._blocks.get(benchmark, []) for name in block}

    def lacks(self, block: Mapping[str, list[Row]], methods: Sequence[str]) -> tuple[Missing, ...]:
        """Seeds that were asked for and have no result, of methods of a block."""
        return tuple(lacks for name in methods if (lacks := self._board.lacks(block[name][0].block, name)))

    def caveats(self, block: Mapping[str, list[Row]], methods: Sequence[str]) -> tuple[str, ...]:
        """See :meth:`Board.caveats`."""
        return self._board.caveats(block[methods[0]][0].block, methods)

    def without(self, benchmark: str, methods: Sequence[str]) -> list[Missing]:
        """The same of methods without any result on a benchmark, in tables that count."""
        some = [lacks for lacks in self._board.missing if lacks.benchmark == benchmark and self._counts(lacks.setting)]
        return [lacks for lacks in some if lacks.method in methods and not lacks.ended]

    def column(self, block: Mapping[str, list[Row]], measure: str) -> Column:
        """A metric, a cost or a diagnostic of all methods of a block that have it."""
        key = id(block), measure
        if key not in self._columns:
            self._columns[key] = self._column(block, measure)
        return self._columns[key]

    def _column(self, block: Mapping[str, list[Row]], measure: str) -> Column:
        found: dict[str, dict[int, float]] = {}
        unit, higher = "", None
        for method, rows in block.items():
            row = next((row for row in rows if row.metric == measure), None)
            first = rows[0]
            described = self._described.get((first.benchmark, first.version, first.setting, method, measure))
            if row is not None:
                found[method], unit, higher = dict(zip(row.seeds, row.values, strict=True)), row.unit, row.higher_is_better
            elif measure in EXACT and getattr(first.cost, measure) is not None:
                found[method], higher = dict.fromkeys(first.seeds, float(getattr(first.cost, measure))), False
            elif described is not None:
                found[method] = dict(zip(described.seeds, described.values, strict=True))
        return Column(found, unit, higher)


@dataclass(frozen=True)
class Column:
    """One measure of a block: method -> seed -> value."""

    values: Mapping[str, Mapping[int, float]]
    unit: str
    higher_is_better: bool | None

    @cached_property
    def scale(self) -> Scale:
        return scale_of(self.unit, [value for row in self.values.values() for value in row.values()])

    @cached_property
    def cells(self) -> cells.Cells:
        return cells.fit([[*row.values()] for row in self.values.values()], self.scale)

    def between(self, a: str, b: str) -> pairs.Difference:
        """a - b."""
        order = [*self.values]
        return pairs.pair(self.cells, order.index(a), order.index(b))

    def alone(self, a: str) -> pairs.Difference:
        """The mean of one method, with strength borrowed from the others."""
        fitted = cells.fit([[*row.values()] for row in self.values.values()], LINEAR)
        index = [*self.values].index(a)
        variance = float(fitted.variance[index]) if fitted.n[index] > 1 else np.nan
        return pairs.Difference(float(fitted.mean[index]), variance / float(fitted.n[index]), float(fitted.df[index]))

    def minus(self, other: Column) -> Column:
        """The differences of two measures, trial by trial."""
        shared = {name: row.keys() & other.values[name].keys() for name, row in self.values.items() if name in other.values}
        rows = {
            name: {seed: self.values[name][seed] - other.values[name][seed] for seed in sorted(of)} for name, of in shared.items() if of
        }
        return Column(rows, self.unit, None)
