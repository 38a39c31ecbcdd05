"""Scale mixtures of Student's t: what is left of an uncertain variance once it is averaged over.

Everything here works on the last axis of arrays and keeps the leading ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, expit, gammaln, log_expit, polygamma, stdtr, stdtrit

Array = NDArray[np.float64]

_TAILS = (0.05, 0.001)
"""Two-sided probabilities at which a mixture is matched by one t: the interval that is shown, and far out for corrections."""

_NODES = np.linspace(-5.0, 5.0, 33)

_NEGLIGIBLE = 1e-12
"""Parts that weigh less in every mixture are left out: tails down to 0.1 % are looked at."""


def t_quantile(df: ArrayLike, tail: ArrayLike) -> Array:
    """c with P(|t_df| > c) = tail."""
    found: Array = stdtrit(df, 1 - np.asarray(tail, np.float64) / 2)
    return found


def two_sided(difference: ArrayLike, variance: ArrayLike, df: ArrayLike) -> Array:
    """P(\\|t_df\\| >= \\|difference\\|/√variance): 0 for a difference without any variance, 1 for none."""
    difference, variance = np.abs(np.asarray(difference, np.float64)), np.asarray(variance, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0 * variance, difference / np.sqrt(variance))
    found: Array = 2 * stdtr(df, -t)
    return found


@dataclass(frozen=True)
class Mixture:
    """Zero-mean variable that is, with probability ``weight``, ``scale`` times Student's t with ``df`` degrees of freedom."""

    scale: Array
    df: Array
    """Broadcast against ``scale``: one where all parts have the same."""
    weight: Array

    def tail(self, x: ArrayLike) -> Array:
        """P(\\|T\\| > \\|x\\|), the two-sided p value of x."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(np.asarray(x, np.float64))[..., None] / self.scale
        found: Array = (self.weight * 2 * stdtr(self.df, -np.where(np.isnan(ratio), 0.0, ratio))).sum(-1)
        return found

    def quantile(self, tail: float) -> Array:
        """c with P(\\|T\\| > c) = tail: Newton on log P as a function of log c, bisection where that leaves the bracket.

        It starts where c would be if log P of each part were a line there.
        """
        scale = np.maximum(self.scale, np.finfo(np.float64).tiny)
        some, where = np.unique(self.df, return_inverse=True)  # a prior has few degrees of freedom for its many parts
        mine = t_quantile(some, tail)[where].reshape(self.df.shape)
        own = np.log(scale * mine)
        low, high = own.min(-1), own.max(-1)
        norm = gammaln((self.df + 1) / 2) - gammaln(self.df / 2) - np.log(self.df * np.pi) / 2
        steep = 2 * mine * np.exp(norm - (self.df + 1) / 2 * np.log1p(mine**2 / self.df)) / tail
        at = (self.weight * own).sum(-1) + (self.weight * steep * (own - (self.weight * own).sum(-1, keepdims=True)) ** 2).sum(-1) / 2
        for _ in range(60):
            x = np.exp(at)[..., None] / scale
            p = (self.weight * 2 * stdtr(self.df, -x)).sum(-1)
            slope = (self.weight * 2 * x * np.exp(norm - (self.df + 1) / 2 * np.log1p(x**2 / self.df))).sum(-1) / p
            low, high = np.where(p > tail, at, low), np.where(p > tail, high, at)
            newton = at + np.log(p / tail) / slope
            before, at = at, np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
            if np.abs(at - before).max(initial=0.0) < 1e-4:  # Newton's next step would be the square of it
                break
        return np.where((self.scale > 0).any(-1), np.exp(at), 0.0)

    def matched(self) -> tuple[Array, Array]:
        """Variance (scale squared) and degrees of freedom of the t with the mixture's two-sided quantiles at 5 % and 0.1 %."""
        near, far = (self.quantile(tail) for tail in _TAILS)
        ratio = np.log(np.divide(far, near, out=np.ones_like(near), where=near > 0))
        df = np.exp(np.interp(ratio, _LOG_RATIO[::-1], _LOG_DF[::-1]))
        return (near / t_quantile(df, _TAILS[0])) ** 2, df


_LOG_DF = np.log(np.geomspace(0.3, 1e5, 400))
_LOG_RATIO = np.log(t_quantile(np.exp(_LOG_DF), _TAILS[1]) / t_quantile(np.exp(_LOG_DF), _TAILS[0]))


def sum_of_two(variance_a: ArrayLike, df_a: ArrayLike, variance_b: ArrayLike, df_b: ArrayLike) -> Mixture:
    """The sum (or difference) of two independent t variables, s_a t(ν_a) + s_b t(ν_b): the Behrens-Fisher distribution.

    Given B ~ Beta(ν_a/2, ν_b/2) it is a t with ν_a + ν_b degrees of freedom and squared scale
    (ν_a s_a²/B + ν_b s_b²/(1 - B))/(ν_a + ν_b) (Box & Tiao 1973, section 2.5.2); B is summed by the trapezoidal rule in a
    transformed logit of B. Welch's approximation, made for sample variances, rejects too often for shrunken ones.
    """
    va, da, vb, db = (x[..., None] for x in np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (variance_a, df_a, variance_b, df_b))))
    spread = np.sqrt(polygamma(1, da / 2) + polygamma(1, db / 2))
    logit = digamma(da / 2) - digamma(db / 2) + spread * np.sinh(_NODES)
    log_weight = da / 2 * log_expit(logit) + db / 2 * log_expit(-logit) + np.log(np.cosh(_NODES))
    weight = np.exp(log_weight - log_weight.max(-1, keepdims=True))
    weight /= weight.sum(-1, keepdims=True)
    counts = ~(weight.reshape(-1, weight.shape[-1]).max(0, initial=0.0) <= _NEGLIGIBLE)  # those of no number stay
    weight, logit = weight[..., counts], logit[..., counts]
    weight /= weight.sum(-1, keepdims=True)
    # where B or 1 - B is zero in double precision, so is the weight
    small = np.finfo(np.float64).tiny
    variance = (da * va / np.maximum(expit(logit), small) + db * vb / np.maximum(expit(-logit), small)) / (da + db)
    return Mixture(np.sqrt(variance), da + db, weight)
