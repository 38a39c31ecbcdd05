"""Weighted nearest neighbours, as DINO and iBOT test features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NEIGHBOURS = (10, 20, 100, 200)
FEW = (1, 5, 10, 20)
"""Training images of each class that few-shot protocols have."""
TEMPERATURE = 0.07

_SUBSETS = 5
_CHUNK = 1 << 24
"""Similarities that are held at once."""


def knn(
    bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, neighbours: Iterable[int], classes: int, temperature: float = TEMPERATURE
) -> dict[int, np.ndarray]:
    """Classes of the ``queries`` by a vote of the k most similar of the ``bank``; k is at most the size of the bank.

    Vectors are divided by their lengths; the neighbour i votes for its class with exp(s_i / T), s_i being the cosine. Wu et al., CVPR
    2018; facebookresearch/dino, ``eval_knn.py``, whose chunks of a hundredth of the test set fail below 100 images, while these are as
    large as memory allows. Of equal sums the class with the lower number is taken.

    Args:
        bank: (N, D).
        labels: (N,) int.
        queries: (M, D).
        neighbours: all k that are asked for.

    Returns:
        k -> (M,) int.
    """
    import numpy as np

    wanted = {k: min(k, len(bank)) for k in neighbours}
    most = max(wanted.values())
    unit, asked = _unit(bank), _unit(queries)
    found = {k: np.empty(len(queries), int) for k in wanted}
    step = max(1, _CHUNK // len(bank))
    for start in range(0, len(queries), step):
        similar = asked[start : start + step] @ unit.T
        rows = np.arange(len(similar))[:, None]
        near = np.argpartition(-similar, most - 1, axis=1)[:, :most]
        near = near[rows, np.argsort(-similar[rows, near], axis=1, kind="stable")]
        votes = np.exp(similar[rows, near] / temperature)
        for k, count in wanted.items():
            sums = np.zeros((len(similar), classes))
            np.add.at(sums, (rows, labels[near[:, :count]]), votes[:, :count])
            found[k][start : start + step] = sums.argmax(axis=1)
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    vectors = np.asarray(vectors, np.float64)
    found: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found


def subsets(labels: np.ndarray, count: int) -> list[np.ndarray]:
    """The few-shot banks: ``count`` samples of each class in the dataset's order, five times, each beginning where another does not.

    AttMask's protocol (Kakogeorgiou et al., ECCV 2022): they begin at 0, ν, 2ν, ... of each class, and for ν = 1 at 0, 5, 10, ... A
    class with fewer samples than that begins anew.

    Args:
        labels: (N,) classes of the training samples.

    Returns:
        Numbers of samples for each bank.
    """
    import numpy as np

    own = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    step = max(count, 5)
    return [np.concatenate([np.take(some, range(at, at + count), mode="wrap") for some in own]) for at in range(0, _SUBSETS * step, step)]


def few_shot(
    bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, truth: Sequence[int] | np.ndarray, count: int, classes: int
) -> np.ndarray:
    """How often each query is classified rightly by :func:`knn` over the banks of :func:`subsets`, with k = 1 for one sample a class
    and 20 for more; (M,) from 0 to 1."""
    import numpy as np

    k = 1 if count == 1 else 20
    truth = np.asarray(truth)
    hits = [knn(bank[some], labels[some], queries, [k], classes)[k] == truth for some in subsets(labels, count)]
    found: np.ndarray = np.mean(hits, axis=0)
    return found
