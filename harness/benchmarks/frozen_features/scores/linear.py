"""A linear classifier of frozen vectors, fitted exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
"""Strengths of the penalty that are tried on the validation split."""

_TOLERANCE = 1e-6
"""Of the gradient's largest entry, for each sample."""


@dataclass(frozen=True)
class Probe:
    """A fitted classifier."""

    weights: np.ndarray
    """(C, D), of standardised vectors."""
    bias: np.ndarray
    """(C,)."""
    mean: np.ndarray
    std: np.ndarray
    penalty: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(N, C) logits of (N, D) vectors."""
        found: np.ndarray = (features - self.mean) / self.std @ self.weights.T + self.bias
        return found

    def guess(self, features: np.ndarray) -> np.ndarray:
        """(N,) classes."""
        found: np.ndarray = self.scores(features).argmax(axis=1)
        return found


def linear_probe(features: np.ndarray, labels: np.ndarray, val: np.ndarray | None, val_labels: np.ndarray | None, classes: int) -> Probe:
    """Multinomial logistic regression whose penalty the validation split chooses.

    Vectors are standardised by the mean and spread of each of their numbers over the training samples, so that the penalty means the
    same for every pooling. Of :data:`PENALTIES` the one with the best accuracy on the validation split is taken, of equal ones the
    strongest; without such a split it is 1. The classifier is not fitted again to training and validation together.

    Args:
        features: (N, D).
        labels: (N,) int.
        val, val_labels: the same of the validation split.
    """
    import numpy as np

    features = np.asarray(features, np.float64)
    mean, std = features.mean(axis=0), features.std(axis=0)
    std = np.where(std > 1e-12 * np.maximum(1, np.abs(mean)), std, 1.0)
    x = (features - mean) / std
    best, found, start = -1.0, None, None
    for penalty in sorted(PENALTIES, reverse=True) if val is not None and len(val) else (1.0,):
        start = fit(x, labels, classes, penalty, start)
        made = Probe(start[:, :-1], start[:, -1], mean, std, penalty)
        accuracy = float((made.guess(np.asarray(val, np.float64)) == val_labels).mean()) if val is not None and len(val) else 0.0
        if accuracy > best:
            best, found = accuracy, made
    assert found is not None
    return found


def fit(
    x: np.ndarray, labels: np.ndarray, classes: int, penalty: float, start: np.ndarray | None = None, tolerance: float = _TOLERANCE
) -> np.ndarray:
    """Minimise  sum_i -log softmax(W x_i + b)[y_i] + penalty/2 ||W||^2  by L-BFGS, in float64.

    The minimum is unique in W, and scikit-learn's ``LogisticRegression(C=1/penalty)`` looks for the same one; the bias has no penalty,
    and its mean is 0.

    Args:
        x: (N, D).
        labels: (N,) int below ``classes``.
        start: (C, D + 1) of a neighbouring penalty, from where it is not far.
        tolerance: of the gradient's largest entry, for each sample.

    Returns:
        (C, D + 1), the bias last.
    """
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    count, width = x.shape
    rows = np.arange(count)
    truth = np.zeros((count, classes))
    truth[rows, labels] = 1

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        both = flat.reshape(classes, width + 1)
        weights = both[:, :-1]
        logits = x @ weights.T + both[:, -1]
        total = logsumexp(logits, axis=1, keepdims=True)
        value = float((total[:, 0] - logits[rows, labels]).sum() + penalty / 2 * (weights**2).sum())
        wrong = np.exp(logits - total) - truth
        gradient = np.concatenate([wrong.T @ x + penalty * weights, wrong.sum(axis=0)[:, None]], axis=1)
        return value / count, gradient.ravel() / count

    first = np.zeros((classes, width + 1)) if start is None else start
    options = {"maxiter": 5000, "maxfun": 10_000, "gtol": tolerance, "ftol": 0.0, "maxcor": 20}
    found: np.ndarray = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(classes, width + 1)
    found[:, -1] -= found[:, -1].mean()
    return found
