"""Equal tuning of every method: the same number of quasi-random points, judged on validation, before the final seeds are run.

docs/tuning.md says what is fair about it. A point sets keys of ``schedule`` and parameters of the method, never data, model or
scores.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.benchmarks import Task, task
from harness.benchmarks.base import Metric
from harness.catalog import Method, Tune
from harness.catalog.plugins import PluginFile, owners
from harness.catalog.ranges import PROJECTIONS, Range
from harness.compose.overrides import METHOD, Override, Overrides
from harness.compose.plan import Cell, Plan, check_filling, unique
from harness.compose.setting import setting
from harness.compose.trial import Trial, as_tuning, compose_seeds
from harness.digests import digest_of
from harness.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

FIRST_SEED = 1000
"""Tuning seeds begin where final ones end, so that no number that chooses stands in a table."""

DIMENSIONS = 16
"""Of the Sobol sequence, however many a method uses: its scrambling depends on it, and options that several methods share must get
the same values for all of them."""


@dataclass(frozen=True)
class Point:
    """One choice of options."""

    values: dict[str, Any]
    """Keys of ``--set`` -> value; empty for what is registered."""
    method: Method
    task: Task
    trials: tuple[Trial, ...]
    """One per tuning seed. Those of a stage begin with what was learned with the first final seeds, as no tuning seed learns there."""


@dataclass(frozen=True)
class Verdict:
    """What validation said about the points of a search."""

    scores: list[list[float]]
    """For each point, the last validation value of each tuning seed; NaN where a trial failed or has none."""
    means: list[float]
    winner: int | None
    """The best point; ``None`` where none has a value."""


@dataclass(frozen=True)
class Search:
    """All that is tried of one method on one benchmark."""

    cell: Cell
    tune: Tune
    space: dict[str, Range]
    """Keys of ``--set`` -> what is tried: what the benchmark says, ``lr_mult``, then what the method says."""
    shared: tuple[str, ...]
    """Those of the benchmark."""
    points: tuple[Point, ...]
    """The first is what is registered."""
    earlier: tuple[Trial, ...] = ()
    """Of a stage, what its tuning trials come after."""

    @property
    def metric(self) -> str:
        """What decides, as it is called among the learning curves of a trial."""
        return f"val/{self.cell.task.primary}"

    @property
    def primary(self) -> Metric:
        """The same as the benchmark declares it."""
        return next(metric for metric in self.cell.task.metrics if metric.name == self.cell.task.primary)

    @property
    def budget(self) -> dict[str, Any]:
        """What methods that are compared have in common: the part of the tuning that is in their setting."""
        return {"trials": self.tune.trials, "seeds": self.tune.seeds, "space": {key: self.space[key].plain() for key in self.shared}}

    def judge(self, values: Mapping[str, float]) -> Verdict:
        """The point with the best mean over the tuning seeds; of equal ones the first, of which the registered one is the very first.

        Args:
            values: digest of a tuning trial -> its last value of :attr:`metric`; none, or NaN, is worse than any.
        """
        scores = [[values.get(trial.digest, math.nan) for trial in point.trials] for point in self.points]
        means = [math.fsum(some) / len(some) for some in scores]
        known = [index for index, mean in enumerate(means) if math.isfinite(mean)]
        sign = -1 if self.primary.higher_is_better else 1
        return Verdict(scores, means, min(known, key=lambda index: sign * means[index], default=None))

    def report(self, verdict: Verdict) -> dict[str, Any]:
        """The whole of it as plain data, kept with every final trial; docs/json.md has its fields."""
        points = [
            {
                "values": point.values,
                "validation": [score if math.isfinite(score) else None for score in scores],
                "trials": [trial.digest for trial in point.trials],
            }
            for point, scores in zip(self.points, verdict.scores, strict=True)
        ]
        return {
            "trials": self.tune.trials,
            "seeds": [FIRST_SEED + index for index in range(self.tune.seeds)],
            "metric": self.metric,
            "higher_is_better": self.primary.higher_is_better,
            "space": {key: some.plain() for key, some in self.space.items()},
            "points": points,
            "winner": verdict.winner,
        }

    def finals(self, verdict: Verdict, seeds: int, files: list[PluginFile]) -> list[Trial]:
        """The winner's trials with the final seeds, behind those that they come after.

        They belong to the budget: one whose options are the registered ones is another trial than that of an untuned run.
        """
        assert verdict.winner is not None
        winner, report = self.points[verdict.winner], self.report(verdict)
        before = self.cell.earlier(range(seeds), files)
        conditions = setting(self.cell.task, self.cell.fingerprint, before[0].conditions if before else None) | {"tuning": self.budget}
        about: dict[str, Any] = {"setting": digest_of(conditions), "conditions": conditions, "tuning": digest_of(report), "search": report}
        composed = compose_seeds(winner.method, winner.task, range(seeds), self.cell.fingerprint, files, self.cell.told, before)
        return before + [replace(trial, digest=digest_of([trial.digest, self.budget]), **about) for trial in composed]


def searches(plan: Plan, fixed: Overrides, files: list[PluginFile]) -> list[Search]:
    """What is to be tried for each cell of a plan that has ``tune``.

    Args:
        fixed: what ``--set`` says; it is kept in every point.

    Raises:
        UsageError: a range for an option that does not exist or cannot be scaled, a value that is refused, or nothing to tune.
    """
    return [_search(cell, plan.tune, fixed, files) for cell in plan.cells] if plan.tune else []


def tuning_plan(plan: Plan, found: list[Search]) -> Plan:
    """The plan of the tuning trials."""
    earlier = [trial for search in found for trial in search.earlier]
    return replace(plan, trials=unique(chain(earlier, (trial for search in found for point in search.points for trial in point.trials))))


def final_plan(plan: Plan, found: list[Search], verdicts: list[Verdict], files: list[PluginFile]) -> Plan:
    """The plan of the final trials; a cell without a winner has none."""
    decided = [pair for pair in zip(found, verdicts, strict=True) if pair[1].winner is not None]
    return replace(plan, trials=unique(trial for search, verdict in decided for trial in search.finals(verdict, plan.seeds, files)))


def places(benchmark: str, count: int) -> np.ndarray:
    """(count, :data:`DIMENSIONS`) in [0, 1): the first points of a scrambled Sobol sequence, the same for all methods on a benchmark.

    Fewer of them are the beginning of more, so that a larger budget goes on from a smaller one.
    """
    from scipy.stats import qmc

    sequence = qmc.Sobol(DIMENSIONS, scramble=True, rng=int(digest_of(["tuning", benchmark]), 16))
    drawn: np.ndarray = sequence.random_base2(max(count - 1, 0).bit_length())
    return drawn[:count]


def _search(cell: Cell, tune: Tune, fixed: Overrides, files: list[PluginFile]) -> Search:
    known = owners(files)
    shared = {key: some for key, some in cell.task.entry.tune.items() if not _is_fixed(key, fixed)}
    own = {key: some for key, some in of_method(cell.method, known).items() if not _is_fixed(key, fixed)}
    space = shared | own
    where = f"tuning '{cell.method.id}' on '{cell.task.id}'"
    if not space:
        raise UsageError(f"{where}: nothing is left to tune. Leave the --set of a tuned option out, or add `tune:` to the entry.")
    if len(space) > DIMENSIONS:
        raise UsageError(f"{where}: {len(space)} options are more than the {DIMENSIONS} that can be tuned at once. Shorten `tune:`.")
    registered = {key: _registered(key, some, cell, where) for key, some in space.items()}
    earlier = cell.earlier(range(tune.seeds), files)
    points = [_point({}, cell, tune, known, files, where, earlier)]
    for row in places(cell.task.id, tune.trials - 1):
        values = {key: some.at(float(place), registered[key]) for (key, some), place in zip(space.items(), row, strict=False)}
        points.append(_point(values, cell, tune, known, files, where, earlier))
    return Search(cell, tune, space, tuple(shared), tuple(points), tuple(earlier))


def of_method(method: Method, known: dict[str, PluginFile]) -> dict[str, Range]:
    """``lr_mult`` of the plugins that take it, then what the entry says; null there takes one out."""
    alone = len(method.slots) == 1
    found: dict[str, Range | None] = {}
    for slot, filling in method.slots.items():
        if "lr_mult" in (known[filling.plugin].parameters.get(filling.plugin) or ()):
            found[f"{METHOD}.lr_mult" if alone else f"{METHOD}.{slot}.lr_mult"] = PROJECTIONS
    found |= {f"{METHOD}.{key}": some for key, some in method.tune.items()}
    return {key: some for key, some in found.items() if some is not None}


def _is_fixed(key: str, fixed: Overrides) -> bool:
    """Whether ``--set`` says what a key is; ``method.gamma`` is that of every slot."""
    first, *slot, last = key.split(".")
    for item in fixed.items:
        begin, *place, end = item.parts
        if (begin, end) == (first, last) and (not slot or not place or slot == place):
            return True
    return False


def _registered(key: str, some: Range, cell: Cell, where: str) -> float | None:
    """The value that a range of ``times`` is about."""
    first, *slot, name = key.split(".")
    if first != METHOD:
        options = type(cell.task.schedule).model_fields
        if not options:
            raise UsageError(f"{where}: nothing is trained there, so that there is nothing to tune.")
        if name not in options:
            raise UsageError(f"{where}: {did_you_mean(name, options, 'option of the schedule')}")
        value = getattr(cell.task.schedule, name)
    else:
        if slot and slot[0] not in cell.method.slots:
            raise UsageError(f"{where}: {did_you_mean(slot[0], cell.method.slots, 'slot')}")
        filled = [cell.method.slots[slot[0]]] if slot else cell.method.slots.values()
        value = next((filling.params[name] for filling in filled if name in filling.params), None)
    if some.times is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{where}: {key} has no registered number that `times` could multiply. Write it into the entry, or give `log`.")
    return float(value)


def _point(
    values: dict[str, Any],
    cell: Cell,
    tune: Tune,
    known: dict[str, PluginFile],
    files: list[PluginFile],
    where: str,
    earlier: list[Trial],
) -> Point:
    chosen = Overrides(tuple(Override(f"{key}={json.dumps(value)}", tuple(key.split(".")), value) for key, value in values.items()))
    try:
        method, changed = chosen.of_method(cell.method), cell.task
        if any(key.split(".")[0] != METHOD for key in values):
            changed = task(chosen.of_benchmark(cell.task.entry))
        for slot in method.slots:
            check_filling(method, slot, known, files)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    told = (*cell.told, *(item.text for item in chosen.items))
    composed = compose_seeds(method, changed, range(FIRST_SEED, FIRST_SEED + tune.seeds), cell.fingerprint, files, told, earlier)
    return Point(values, method, changed, tuple(as_tuning(trial) for trial in composed))
