"""Scores of single test samples: which metrics are made of them, and what another draw of samples would give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.analysis.board import Board, Row
from harness.analysis.inference.mixtures import Array
from harness.analysis.inference.samples import Statistic, sample_interval
from harness.outcome import GROUP

Scores = Mapping[str, np.ndarray]
"""Name of a score -> one value per test sample."""

_FROM: dict[Statistic, Callable[[str], str]] = {np.mean: lambda name: name, np.median: lambda name: name.replace("median", "error")}
"""Statistic -> the name of the score that a metric is this statistic of."""


def proposed(metric: str) -> list[str]:
    """Names that the scores behind a metric would have."""
    return [*dict.fromkeys(named(metric) for named in _FROM.values())]


def made_of(row: Row, trials: Mapping[str, Scores]) -> tuple[Statistic, str] | None:
    """The statistic and the score that a metric is made of in every trial; ``None`` where there is none.

    Names propose it and numbers decide: the statistic of the stored scores has to be the metric. So the mean over scenes of their
    medians, or the intersection over union of a whole test set, is not taken for one of single samples.
    """
    if not all(digest in trials for digest in row.digests):
        return None
    for statistic, named in _FROM.items():
        score = named(row.metric)
        kept = [finite(trials[digest][score]) for digest in row.digests if score in trials[digest]]
        if len(kept) < len(row.digests) or not all(some.size for some in kept):
            continue
        if np.allclose([statistic(some, axis=-1) for some in kept], row.values, rtol=1e-4, atol=1e-6):
            return statistic, score
    return None


def finite(scores: np.ndarray) -> Array:
    """The scores of samples that have one."""
    found: Array = np.asarray(scores, np.float64)[np.isfinite(scores)]
    return found


def groups(scores: Scores, name: str) -> np.ndarray | None:
    """What each sample that has the score ``name`` belongs to; ``None`` where the trial does not say."""
    return scores[GROUP][np.isfinite(scores[name])] if GROUP in scores else None


def with_samples(board: Board, read: Callable[[list[str]], Mapping[str, Any]]) -> Board:
    """The board with an interval over test samples for each primary metric of a single seed that is made of their scores.

    Args:
        read: digests -> scores by trial, see :meth:`Store.per_sample`.
    """
    single = [row.digests[0] for row in board.rows if row.primary and row.n == 1]
    trials = read(single) if single else {}
    return replace(board, rows=[_sampled(row, trials) if row.primary and row.n == 1 else row for row in board.rows])


def _sampled(row: Row, trials: Mapping[str, Scores]) -> Row:
    found = made_of(row, trials)
    if found is None:
        return row
    (statistic, name), scores = found, trials[row.digests[0]]
    bounds = (0.0, 100.0) if row.unit == "%" else None
    interval = sample_interval(finite(scores[name]), groups(scores, name), statistic, bounds=bounds).interval
    return row if interval is None else replace(row, ci95=interval, interval="samples")
