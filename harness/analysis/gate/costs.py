"""Time and memory against a baseline: opt-in, on the same kind of device only, with a rule of their own.

Parameters and operations are counted, and memory on a CPU is the sum of live tensors: they are the same each time, and
:data:`COUNTED` is for what another version of a library allocates. Times vary in proportion to themselves and with what else the
machine does: a method is slower where the ratio exceeds both :data:`TIMED` and what the seeds' own spread (of logarithms, moderated
by the other methods of the benchmark) makes of it, after all ratios were divided by their median: a machine that is busy is no
regression of every method.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from harness.analysis.board import Row
from harness.analysis.gate.file import TRAINING, Baseline, Cell
from harness.analysis.gate.limits import FALSE_ALARMS
from harness.analysis.gate.machines import UNKNOWN, device_class, machines_of
from harness.analysis.inference.cells import fit
from harness.outcome import COSTS

if TYPE_CHECKING:
    from harness.store import Result

COUNTED = 1.02
"""Ratio from which a count or a memory is more."""

TIMED = 1.5
"""Ratio from which a time is more; neighbours on a shared machine make less of it."""

BUSY = 1.1
"""Median ratio of times from which it is told."""

FEWEST = 5
"""Fewer times have no median ratio to speak of."""

TIMES = ("latency_ms", TRAINING)
"""Costs that a busy machine makes more of."""

_ANYWHERE = ("params", "flops")

PerSeed = Mapping[str, tuple[float, ...]]
Pairs = Mapping[Cell, tuple[PerSeed, PerSeed, bool]]


def costs_of(trials: Sequence[Result]) -> dict[str, tuple[float, ...]]:
    """Cost -> its value for each trial, where all have it; six significant digits."""
    found = {name: [getattr(trial.cost, name) for trial in trials] for name in COSTS}
    found[TRAINING] = [trial.durations.get("train") for trial in trials]
    return {
        name: tuple(float(f"{value:.6g}") for value in values)
        for name, values in found.items()
        if values and all(value is not None and value > 0 for value in values)
    }


@dataclass(frozen=True)
class CostEntry:
    """One cost of one method, on both sides."""

    benchmark: str
    version: int
    method: str
    cost: str
    baseline: float
    current: float
    ratio: float
    """``current / baseline``; of times divided by what all methods have in common."""
    allowed: float
    worse: bool


def pairs_of(
    baseline: Baseline, rows: Mapping[Cell, Row], results: Mapping[str, Result], environments: Mapping[str, Mapping[str, Any]]
) -> dict[Cell, tuple[PerSeed, PerSeed, bool]]:
    """What :func:`judge` takes, for the methods of a baseline that were measured in its settings.

    Args:
        rows: that are held against the baseline, one of each method's metrics.
        results: digest -> the trial.
    """
    expected = {entry.key[:3]: entry for entry in baseline.entries}
    now = machines_of(results.values(), environments)
    found: dict[Cell, tuple[PerSeed, PerSeed, bool]] = {}
    for cell, row in rows.items():
        entry = expected[cell]
        if entry.setting != row.setting.digest or not baseline.costs.get(cell):
            continue
        trials = [results[digest] for digest in row.digests if digest in results]
        here = {device_class(now[trial.digest]) for trial in trials}
        there = {device_class(baseline.machines.get(name, {})) for name in entry.machines}
        found[cell] = baseline.costs[cell], costs_of(trials), here == there and len(here) == 1 and UNKNOWN not in here
    return found


def judge(pairs: Pairs) -> tuple[list[CostEntry], float]:
    """Hold costs against those of a baseline.

    Args:
        pairs: cell -> costs of the baseline, costs now, and whether both were measured on devices of the same class.

    Returns:
        The entries, and the median ratio of all times, by which they were divided if it is above 1.
    """
    found: list[tuple[Cell, str, tuple[float, ...], tuple[float, ...]]] = [
        (cell, name, before[name], now[name])
        for cell, (before, now, same) in pairs.items()
        for name in before
        if name in now and (same or name in _ANYWHERE)
    ]
    ratios = [_middle(now) / _middle(before) for _, name, before, now in found if name in TIMES]
    common = median(ratios) if len(ratios) >= FEWEST else 1.0
    limits = _limits(found)
    entries = []
    for index, (cell, name, before, now) in enumerate(found):
        # a busy machine only slows; where most became faster, one that did not is none that became slower
        ratio = _middle(now) / _middle(before) / (max(common, 1.0) if name in TIMES else 1.0)
        entries.append(CostEntry(*cell, name, _middle(before), _middle(now), ratio, limits[index], ratio > limits[index]))
    return entries, common


def _middle(values: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _limits(found: Sequence[tuple[Cell, str, tuple[float, ...], tuple[float, ...]]]) -> dict[int, float]:
    limits = {index: COUNTED for index, (_, name, _, _) in enumerate(found) if name not in TIMES}
    groups: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for index, (cell, name, _, _) in enumerate(found):
        if name in TIMES:
            groups[cell[0], cell[1], name].append(index)
    times = sum(map(len, groups.values()))
    for some in groups.values():
        cells = fit([np.log(found[index][2]) for index in some])
        for index, variance, df in zip(some, cells.variance, cells.df, strict=True):
            error = math.sqrt(variance * (1 / len(found[index][2]) + 1 / len(found[index][3])))
            reach = float(stdtrit(df, 1 - FALSE_ALARMS / times)) * error
            # one seed says nothing of the noise of a time: then the ratio alone decides
            limits[index] = max(TIMED, math.exp(reach)) if math.isfinite(reach) else TIMED
    return limits


def more(entries: Iterable[CostEntry]) -> list[CostEntry]:
    """Those that are worse, the largest ratio first."""
    return sorted((entry for entry in entries if entry.worse), key=lambda entry: (-entry.ratio, entry.benchmark, entry.method, entry.cost))
