"""A linear classifier of frozen vectors, fitted exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
"""Strengths of the penalty that are tried on the validation split."""

_TOLERANCE = 1e-7
"""Of the gradient's length, for each sample."""
_DOUBT = 0.02
"""What p (1 - p) of a sample's class may be on average: how much of the spread of the samples the Hessian has."""


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


_latest: list[tuple[tuple[Any, ...], Probe]] = []
"""What the last probe was fitted to, and the probe: a trial's test asks for that of its last look at the validation again."""


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

    asked: tuple[Any, ...] = (features, labels, val, val_labels, classes)
    if _latest and all(np.array_equal(one, other) for one, other in zip(_latest[0][0], asked, strict=True)):
        return _latest[0][1]
    features = np.asarray(features, np.float64)
    mean, std = features.mean(axis=0), features.std(axis=0)
    std = np.where(std > 1e-12 * np.maximum(1, np.abs(mean)), std, 1.0)
    x = (features - mean) / std
    best, found, start = -1.0, None, None
    regression = Regression(x, labels, classes)
    for penalty in sorted(PENALTIES, reverse=True) if val is not None and len(val) else (1.0,):
        start = regression.fit(penalty, start)
        made = Probe(start[:, :-1], start[:, -1], mean, std, penalty)
        accuracy = float((made.guess(np.asarray(val, np.float64)) == val_labels).mean()) if val is not None and len(val) else 0.0
        if accuracy > best:
            best, found = accuracy, made
    assert found is not None
    _latest[:] = [(asked, found)]
    return found


class Regression:
    """Multinomial logistic regression of some samples, for any strength of its penalty; in float64.

    Newton's steps within a trust region, each solved by conjugate gradients, which ask for products with the Hessian only. They work on
    coordinates along the principal axes of the samples, scaled so that the Hessian is not far from the identity where a sample is still
    in doubt: a few hundred products suffice for all of :data:`PENALTIES`, also where the numbers of a vector say nearly the same.

    Args:
        x: (N, D).
        labels: (N,) int below ``classes``.
    """

    def __init__(self, x: np.ndarray, labels: np.ndarray, classes: int):
        import numpy as np

        self.labels, self.classes = labels, classes
        self.spread, self.axes = np.linalg.eigh(x.T @ x / len(x))
        self.turned = np.concatenate([x @ self.axes, np.ones((len(x), 1))], axis=1)

    def fit(self, penalty: float, start: np.ndarray | None = None, tolerance: float = _TOLERANCE) -> np.ndarray:
        """Minimise  sum_i -log softmax(W x_i + b)[y_i] + penalty/2 ||W||^2.

        The minimum is unique in W, and scikit-learn's ``LogisticRegression(C=1/penalty)`` looks for the same one; the bias has no
        penalty, and its mean is 0.

        Args:
            start: (C, D + 1) of a neighbouring penalty, from where it is not far.
            tolerance: of the gradient's length in the scaled coordinates, for each sample.

        Returns:
            (C, D + 1), the bias last.
        """
        import numpy as np
        from scipy.optimize import minimize

        count = len(self.turned)
        rows = np.arange(count)
        scale = 1 / np.sqrt(np.append(_DOUBT * np.maximum(self.spread, 0) + penalty / count, _DOUBT))
        penalties = np.append(penalty * scale[:-1] ** 2, 0)
        x = self.turned * scale
        shape = (self.classes, len(scale))

        def shares(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """(N, C) softmax of each sample, and (N,) the logarithm of what it gives the sample's own class."""
            logits = x @ flat.reshape(shape).T
            logits -= logits.max(axis=1, keepdims=True)
            found = np.exp(logits)
            sums = found.sum(axis=1, keepdims=True)
            found /= sums
            return found, logits[rows, self.labels] - np.log(sums[:, 0])

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = flat.reshape(shape)
            wrong, right = shares(flat)
            wrong[rows, self.labels] -= 1
            value = (penalties * weights**2).sum() / 2 - right.sum()
            return float(value) / count, (wrong.T @ x + penalties * weights).ravel() / count

        here: list[np.ndarray] = []
        """The last place where a product was asked for, and the softmax there."""

        def product(flat: np.ndarray, direction: np.ndarray) -> np.ndarray:
            """The Hessian at ``flat`` times a direction."""
            if not here or not np.array_equal(here[0], flat):
                here[:] = [flat.copy(), shares(flat)[0]]
            along = direction.reshape(shape)
            change = here[1] * (x @ along.T)
            change -= here[1] * change.sum(axis=1, keepdims=True)
            found: np.ndarray = (change.T @ x + penalties * along).ravel() / count
            return found

        first = np.zeros(shape)
        if start is not None:
            first = np.concatenate([start[:, :-1] @ self.axes, start[:, -1:]], axis=1) / scale
        options = {"gtol": tolerance, "initial_trust_radius": 10.0}
        found: np.ndarray = minimize(loss, first.ravel(), jac=True, hessp=product, method="trust-ncg", options=options).x
        found = found.reshape(shape) * scale
        bias = found[:, -1:] - found[:, -1].mean()
        return np.concatenate([found[:, :-1] @ self.axes.T, bias], axis=1)
