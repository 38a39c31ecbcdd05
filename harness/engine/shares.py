"""Which part of a GPU a worker asks of a cluster, from what trials of the same setting took."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engine.places import CONTEXT, FILLED

if TYPE_CHECKING:
    from harness.compose import Trial

_MOST = 8
"""Workers of one GPU: with more they wait for its processors, not for its memory."""

_MARGIN = 1.2
"""Another method of the setting may take more than those that were measured."""


@dataclass(frozen=True)
class Share:
    """Benchmarks whose trials need alike, so that one worker may run them all."""

    gpus: float | None
    """The part of a GPU that one of them takes; ``None``: what the cluster was told for all."""
    benchmarks: tuple[str, ...]


def shares(trials: Iterable[Trial], peaks: Mapping[str, float], memory: int | None) -> list[Share]:
    """Benchmarks by what they need, those with the longest trials first.

    Args:
        peaks: setting -> the most MB that training took in any trial of it (:meth:`harness.store.Store.peaks`); a benchmark with a
            setting that was never measured gets a whole GPU.
        memory: bytes of a GPU; ``None``: all benchmarks are one share.
    """
    longest: dict[str, float] = defaultdict(float)
    parts: dict[str, float | None] = {}
    for trial in trials:
        longest[trial.benchmark] = max(longest[trial.benchmark], trial.cost)
        part = None if memory is None else _part(peaks.get(trial.setting), memory)
        parts[trial.benchmark] = part if part is None else max(part, parts.get(trial.benchmark) or 0.0)
    found: dict[float | None, list[str]] = {}
    for name in sorted(longest, key=lambda name: -longest[name]):
        found.setdefault(parts[name], []).append(name)
    return [Share(part, tuple(names)) for part, names in found.items()]


def _part(peak: float | None, memory: int) -> float:
    """As a fraction 1/n, rounded down so that n of them fit."""
    if peak is None:
        return 1.0
    fit = int(FILLED * memory / (_MARGIN * peak * 1e6 + CONTEXT))
    return math.floor(1e4 / min(max(fit, 1), _MOST)) / 1e4
