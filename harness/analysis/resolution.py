"""What each benchmark can tell apart, from the results there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.analysis.board import Board
from harness.analysis.standing import SEEDS, Standing


def resolution(board: Board, benchmarks: Iterable[str]) -> list[dict[str, Any]]:
    """A row per benchmark, by the first block of its newest version; those without two methods of 2 seeds have no numbers.

    Args:
        benchmarks: names, in the order of the rows; the rest of the board's come behind.
    """
    rows = {rows[0].benchmark: rows for rows in board.parted()[0]}
    found = []
    for name in dict.fromkeys([*benchmarks, *rows]):
        first = rows[name][0] if name in rows else None
        standing = board.standing(first) if first else None
        metric = {name: getattr(first, name, None) for name in ("metric", "unit", "differs")}
        numbers = _numbers(standing) if standing and standing.judged else dict.fromkeys(_NUMBERS)
        found.append({"benchmark": name, "version": first.version if first else None} | metric | numbers)
    return found


_NUMBERS = ("methods", "seeds", "range", "resolution", "tau", "icc")


def _numbers(standing: Standing) -> dict[str, Any]:
    means = standing.cells.mean[standing.known]
    repeats = standing.reliability
    values = (
        len(standing.known),
        standing.seeds,
        float(np.ptp(means)),
        {str(seeds): standing.shows(seeds) for seeds in SEEDS},
        repeats.tau,
        repeats.icc,
    )
    return dict(zip(_NUMBERS, values, strict=True))
