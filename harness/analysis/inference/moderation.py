"""Variances over few seeds that borrow strength from the other methods of a benchmark.

Two seeds say next to nothing about a variance, but the methods measured beside them do: empirical Bayes shrinks the variance
of each cell (one method on one benchmark and metric) towards what is usual there, and gains degrees of freedom.

The model is that of Smyth (2004, Stat. Appl. Genet. Mol. Biol. 3:3): s_g² | σ_g² ~ σ_g² χ²(d_g)/d_g and 1/σ_g² ~ χ²(d0)/(d0 s0²),
so that σ_g² | s_g² has mean precision 1/s̃_g² with s̃_g² = (d0 s0² + d_g s_g²)/(d0 + d_g) and (mean - truth)/(s̃_g/√n) is Student's t
with d0 + d_g degrees of freedom. limma estimates (d0, s0²) by moments (:func:`fit_moments`) from thousands of genes; from 2 to 40
methods that estimate is itself so uncertain that its intervals cover too little (docs/statistics.md). :func:`moderate` averages
over what (d0, s0²) may be instead, and lets each cell lie outside the common distribution with a small probability, which keeps a
method that sometimes fails to train from widening the others' intervals and others from narrowing its own (the aim of Phipson et
al. 2016, Ann. Appl. Stat. 10:946, by a mixture where they winsorise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, polygamma

from harness.analysis.inference.mixtures import Array, Mixture

PRIOR_DF = np.array([0.25, 0.5, 1, 2, 4, 8])
"""Values of d0 that are averaged over, equally probable beforehand: from variances that have little in common to similar ones. More
similar ones gain little, as 8 and a few of its own are degrees of freedom enough, and would be believed too readily of few methods."""

APART = 0.05
"""Probability, beforehand, that a cell's variance is not of the common distribution."""

APART_DF = 0.5
"""d0 of such a cell: its own variance is nearly all that counts."""

FLOOR = 1e-3
"""A variance counts as at least this share of the typical one: exact ties of rounded values say little about a spread."""

_NEGLIGIBLE = 1e-9
"""Parts of a mixture that weigh less in every cell are left out; tails down to 0.1 % are looked at."""

_COARSE = np.arange(-14.0, 14.25, 0.5)
"""log s0² around the typical variance, to find where the posterior lies."""

_FINE = np.linspace(-4.5, 4.5, 13)
"""The same in posterior standard deviations, to sum over."""


@dataclass(frozen=True)
class Moderated:
    """What is known of each cell's variance; arrays have the shape of the variances."""

    variance: Array
    """s̃², the variance of one seed's value."""
    df: Array
    """Degrees of freedom of s̃²."""
    apart: Array
    """Probability that the cell's variance is not of the common distribution."""


@dataclass(frozen=True)
class Prior:
    """The distribution of the cells' variances: d0 degrees of freedom (may be infinite) around s0²."""

    df: float
    variance: float

    def squeeze(self, variances: ArrayLike, df: ArrayLike) -> tuple[Array, Array]:
        """s̃² and d0 + d_g of each cell, Smyth (2004) eq. 6; pooled degrees of freedom are at most those of all cells together."""
        v, d = np.broadcast_arrays(np.asarray(variances, np.float64), np.asarray(df, np.float64))
        if np.isinf(self.df):
            return np.full(v.shape, self.variance), np.full(v.shape, d.sum())
        return (self.df * self.variance + d * v) / (self.df + d), np.minimum(self.df + d, d.sum())


def trigamma_inverse(x: ArrayLike) -> Array:
    """y with trigamma(y) = x > 0, by Newton's method on 1/trigamma (Smyth 2004, appendix)."""
    x = np.asarray(x, np.float64)
    y = 0.5 + 1 / x
    for _ in range(30):
        value = polygamma(1, y)
        y = y + value * (1 - value / x) / polygamma(2, y)
    return y


def fit_moments(variances: ArrayLike, df: ArrayLike) -> Prior:
    """limma's estimate of the prior by the mean and variance of log s² (Smyth 2004, section 6.2).

    With e_g = log s_g² - digamma(d_g/2) + log(d_g/2): trigamma(d0/2) = var(e) - mean trigamma(d_g/2) and
    log s0² = mean(e) + digamma(d0/2) - log(d0/2). Where e varies no more than chance, d0 is infinite and s0² the mean variance.
    """
    v, d = np.broadcast_arrays(np.asarray(variances, np.float64), np.asarray(df, np.float64))
    v, d = v[d > 0], d[d > 0]
    if v.size < 2:
        return Prior(0.0, float(v[0]) if v.size else np.nan)
    v = np.maximum(v, 1e-5 * (np.median(v) or 1.0))
    e = np.log(v) - digamma(d / 2) + np.log(d / 2)
    excess = e.var(ddof=1) - polygamma(1, d / 2).mean()
    if excess <= 0:
        return Prior(np.inf, float(v.mean()))
    half = float(trigamma_inverse(excess))
    return Prior(2 * half, float(np.exp(e.mean() + digamma(half) - np.log(half))))


def moderate(variances: ArrayLike, df: ArrayLike, weight: ArrayLike = 1.0) -> Moderated:
    """Each cell's variance, given all of them.

    Args:
        variances: s_g² of the cells of one benchmark and metric, on one scale, (..., cells); leading axes are separate data sets.
        df: d_g, broadcast to the same shape; a cell without any takes the others'.
        weight: how much a cell counts for the prior, broadcast too; below 1 where cells are dependent, such as all differences of
            methods, 0 where its variance is not its own.

    The posterior of (d0, log s0²), flat beforehand, is summed on a grid. Each cell's posterior of its mean is then a mixture of
    Student's t; the result is the t that has the mixture's two-sided quantiles at 5 % and 0.1 %. Where every variance is zero, so is
    the result.
    """
    v, d = np.broadcast_arrays(np.asarray(variances, np.float64), np.asarray(df, np.float64))
    counted = np.broadcast_to(np.asarray(weight, np.float64), v.shape)[..., None, None]
    unit = typical(v, d)
    v, d = np.maximum(v / np.where(unit > 0, unit, 1.0), FLOOR)[..., None, None], d[..., None, None]
    d0 = PRIOR_DF[:, None]
    u = np.broadcast_to(_COARSE, (*v.shape[:-3], PRIOR_DF.size, _COARSE.size))
    grid, _ = _posterior(v, d, d0, u, counted)
    mass = grid.sum(-1, keepdims=True) + np.finfo(np.float64).tiny
    centre = (grid * u).sum(-1, keepdims=True) / mass
    step = np.maximum(np.sqrt((grid * (u - centre) ** 2).sum(-1, keepdims=True) / mass), 0.25)
    u = centre + step * _FINE
    grid, apart = _posterior(v, d, d0, u, counted, np.log(step))

    s0, grid = np.exp(u)[..., None, :, :], grid[..., None, :, :]
    parts = [
        ((nu0 * s0 + d * v) / (nu0 + d), np.broadcast_to(nu0 + d, apart.shape), grid * share)
        for nu0, share in ((d0, 1 - apart), (APART_DF, apart))
    ]
    squared, nu, weights = (np.stack(part, -1).reshape(*apart.shape[:-2], -1) for part in zip(*parts, strict=True))
    counts = weights.reshape(-1, weights.shape[-1]).max(0) > _NEGLIGIBLE
    squared, nu, weights = (part[..., counts] for part in (squared, nu, weights))
    matched, nu = Mixture(np.sqrt(squared), nu, weights).matched()
    return Moderated(matched * unit, nu, (grid * apart).sum((-2, -1)))


def typical(v: Array, d: Array) -> Array:
    """The geometric mean (..., 1) of the variances that are known and not zero; 0 where there are none."""
    known = (v > 0) & (d > 0)
    count = known.sum(-1, keepdims=True)
    logs = np.log(np.where(known, v, 1.0)).sum(-1, keepdims=True) / np.maximum(count, 1)
    return np.where(count > 0, np.exp(logs), 0.0)


def _posterior(v: Array, d: Array, d0: Array, u: Array, weight: Array, log_step: Array | float = 0.0) -> tuple[Array, Array]:
    """Weights (..., d0, u) of the grid, and the probability (..., cells, d0, u) that a cell lies apart, given each grid point."""
    s0 = np.exp(u)[..., None, :, :]

    def log_density(nu0: Array | float) -> Array:  # of s_g² / s0², which is F; factors that depend on the data alone are left out
        half = (d + nu0) / 2
        density: Array = gammaln(half) - gammaln(np.asarray(nu0) / 2) + nu0 / 2 * np.log(nu0 * s0) - half * np.log(nu0 * s0 + d * v)
        return density

    outside = np.log(APART) + log_density(APART_DF)
    both = np.logaddexp(np.log1p(-APART) + log_density(d0), outside)
    total = (weight * both).sum(-3) + log_step
    grid = np.exp(total - total.max((-2, -1), keepdims=True))
    return grid / grid.sum((-2, -1), keepdims=True), np.exp(outside - both)
