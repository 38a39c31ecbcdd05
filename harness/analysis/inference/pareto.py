"""Which methods are worth their cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def pareto_front(value: ArrayLike, *costs: ArrayLike, higher_is_better: bool = True) -> np.ndarray:
    """Which methods no other matches in value and every cost while beating it in one; never one with a NaN.

    Args:
        value: one per method.
        costs: one array per cost, lower is better.
    """
    merit = np.asarray(value, np.float64) * (-1 if higher_is_better else 1)
    points = np.stack([merit, *(np.asarray(cost, np.float64) for cost in costs)], axis=1)
    no_worse = (points[:, None] <= points[None]).all(-1)
    better = (points[:, None] < points[None]).any(-1)
    found: np.ndarray = np.logical_and(~(no_worse & better).any(0), ~np.isnan(points).any(1))
    return found
