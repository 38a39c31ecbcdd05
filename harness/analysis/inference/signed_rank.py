"""Bayesian signed-rank test: which of two methods is practically better over benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Practical:
    """Probabilities that, on a benchmark of this kind, a is better, neither is by more than the rope, or b is."""

    a: float
    neither: float
    b: float


def signed_rank(a: ArrayLike, b: ArrayLike, rope: float, *, draws: int = 20000, seed: int = 0) -> Practical:
    """Compare two methods by their values on several benchmarks, higher being better.

    Args:
        rope: differences up to this are practically none, in the values' unit.

    The posterior of the distribution of differences is a Dirichlet process: weights w ~ Dirichlet(1/2 at zero, 1 for each benchmark).
    A draw's θ are Σ w_i w_j over pairs (i, j) whose mean difference (z_i + z_j)/2 lies above, within or below the rope; a
    probability is the share of draws in which its θ is the largest, shared equally where several are (Benavoli et al. 2014, ICML;
    2017, J. Mach. Learn. Res. 18:77).

    Raises:
        ValueError: no benchmarks, different numbers of them, or a value that is not finite.
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.ndim != 1 or left.shape != right.shape or not left.size or not np.isfinite(left - right).all():
        raise ValueError(f"one finite value per benchmark and method needed, not {left.shape} and {right.shape}")
    z = np.concatenate([[0.0], left - right])
    middle = (z[:, None] + z) / 2
    weights = np.random.default_rng(seed).dirichlet(np.r_[0.5, np.ones(left.size)], draws)
    # a mean on the rope's edge lies half within
    above = (middle > rope) + (middle == rope) / 2
    below = (middle < -rope) + (middle == -rope) / 2
    theta = np.stack([np.einsum("di,ij,dj->d", weights, area, weights, optimize=True) for area in (above, 1 - above - below, below)])
    best = theta >= theta.max(0) - 1e-12
    return Practical(*(float(share) for share in (best / best.sum(0)).mean(1)))
