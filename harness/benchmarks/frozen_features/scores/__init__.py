"""Protocols over pooled vectors: arrays in, a hit or a miss for each test sample out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from harness.benchmarks.base import Metric
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.frozen_features.scores.linear import PENALTIES, linear_probe
from harness.benchmarks.frozen_features.scores.nearest import FEW, NEIGHBOURS, few_shot, knn

if TYPE_CHECKING:
    import numpy as np


def metrics(_data: ClassificationData) -> list[Metric]:
    """What a trial reports, see :func:`summarise`."""
    return [
        # first, since it alone has something of chance for every pooling: one without parameters has the same vectors for all seeds
        Metric("head", "%", True, "Top-1 accuracy of the linear classifier that the pooling was trained with"),
        Metric("linear", "%", True, "Top-1 accuracy of an exact linear probe"),
        *(Metric(f"knn{k}", "%", True, f"Top-1 accuracy of the {k} nearest training images") for k in NEIGHBOURS),
        *(Metric(f"shots{count}", "%", True, f"Top-1 accuracy of nearest images, {count} for each class") for count in FEW),
    ]


@dataclass(frozen=True)
class Vectors:
    """Pooled vectors of some samples, and their classes."""

    features: np.ndarray
    """(N, D) float."""
    labels: np.ndarray
    """(N,) int."""


def by_split(features: np.ndarray, labels: np.ndarray, parts: Mapping[str, int]) -> dict[str, Vectors]:
    """The vectors of each split that has some.

    Args:
        features: (N, D), split behind split.
        labels: (N,).
        parts: how many samples each split has, in their order.
    """
    ends = zip(parts.items(), accumulate(parts.values()), strict=True)
    return {split: Vectors(features[end - count : end], labels[end - count : end]) for (split, count), end in ends if count}


def protocols(train: Vectors, val: Vectors | None, test: Vectors, classes: int) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """All that need nothing but vectors.

    Args:
        val: decides the strength of the linear probe's penalty; without it that is 1.

    Returns:
        Metric -> (N,) share of right guesses for each test sample, from 0 to 1; the linear probe's guesses; and its penalty.
    """
    guesses = knn(train.features, train.labels, test.features, NEIGHBOURS, classes)
    hits = {f"knn{k}": (found == test.labels).astype(float) for k, found in guesses.items()}
    hits |= {f"shots{count}": few_shot(train.features, train.labels, test.features, test.labels, count, classes) for count in FEW}
    judges = (val.features, val.labels) if val else (None, None)
    probed = linear_probe(train.features, train.labels, judges[0], judges[1], classes)
    guessed = probed.guess(test.features)
    return hits | {"linear": (guessed == test.labels).astype(float)}, guessed, probed.penalty


def told(penalty: float, val: Vectors | None) -> str:
    """How the linear probe's penalty came about, in words; where it is the first or last that was tried, a better one may lie beyond."""
    if val is None:
        return f"the linear probe's penalty is {penalty:g}, since there is no validation split to choose it on"
    ends = {min(PENALTIES): "least", max(PENALTIES): "largest"}
    end = f", the {ends[penalty]} that was tried" if penalty in ends else ""
    return f"the linear probe's penalty, chosen on the validation split, is {penalty:g}{end}"


def summarise(hits: dict[str, np.ndarray]) -> dict[str, float]:
    """Accuracies in percent."""
    return {name: 100 * float(found.mean()) for name, found in hits.items()}
