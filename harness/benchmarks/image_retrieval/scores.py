"""Average precision over a ranked database, as the revisited Oxford and Paris protocol has it: arrays in, a number for each query out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from harness.benchmarks.base import Metric
from harness.benchmarks.image_retrieval.options import RetrievalData

if TYPE_CHECKING:
    import numpy as np

CUTOFFS = (1, 5, 10)
"""Ranks down to which precision is measured."""


@dataclass(frozen=True)
class Relevance:
    """What the images of a database are to a query, by their places in it; all others are wrong."""

    easy: tuple[int, ...] = ()
    hard: tuple[int, ...] = ()
    junk: tuple[int, ...] = ()
    """Neither right nor wrong: what can hardly be seen on them, and the query itself."""


class Setup(NamedTuple):
    """One of the protocol's difficulties: which images are right, and which do not count."""

    name: str
    right: tuple[str, ...]
    junk: tuple[str, ...]
    title: str


GRADED = (
    Setup("_medium", ("easy", "hard"), ("junk",), "easy and hard images"),
    Setup("_hard", ("hard",), ("junk", "easy"), "hard images, the easy ones left out"),
    Setup("_easy", ("easy",), ("junk", "hard"), "easy images, the hard ones left out"),
)
PLAIN = (Setup("", ("easy", "hard"), ("junk",), "images of the same kind"),)
"""Where right images are not told apart."""


def setups(graded: bool) -> tuple[Setup, ...]:
    """The difficulties that are scored; the first is the primary one."""
    return GRADED if graded else PLAIN


def metrics(data: RetrievalData) -> list[Metric]:
    """What a trial reports, see :func:`judged`."""
    return [
        *(Metric(f"mAP{setup.name}", "%", True, f"Mean average precision of {setup.title}") for setup in setups(data.graded)),
        *(
            Metric(f"mP@{k}{setup.name}", "%", True, f"Mean precision of the first {k} of {setup.title}")
            for setup in setups(data.graded)
            for k in CUTOFFS
        ),
    ]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) of length 1, in float64; one of zeros stays."""
    import numpy as np

    vectors = np.asarray(vectors, np.float64)
    found: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found


def ranked(query: np.ndarray, database: np.ndarray) -> np.ndarray:
    """Places (N,) of the images of a database, the most similar first; of equally similar ones the first.

    Args:
        query: (D,).
        database: (N, D); both of length 1.
    """
    import numpy as np

    found: np.ndarray = np.argsort(-(database @ query), kind="stable")
    return found


def precisions(ranking: np.ndarray, right: Iterable[int], junk: Iterable[int]) -> tuple[float, list[float]]:
    """Average precision of one query, and its precision at each of :data:`CUTOFFS`; NaN where nothing is right.

    As ``compute_map`` of filipradenovic/revisitop: junk is taken out of the ranking; precision is the mean of the precision at a right
    image and just before it, 1 before the first rank; and of the ranks down to a cutoff only those count that are not below the last
    right image.

    Args:
        ranking: (N,) places in the database, best first.
        right, junk: places; one that is both is right.
    """
    import numpy as np

    kind = np.zeros(len(ranking), np.int8)
    kind[[*junk]] = -1
    kind[[*right]] = 1
    ordered = kind[ranking]
    rank = np.flatnonzero(ordered[ordered >= 0] == 1)
    if not len(rank):
        return float("nan"), [float("nan")] * len(CUTOFFS)
    before = np.arange(len(rank))
    average = (np.where(rank == 0, 1.0, before / np.maximum(rank, 1)) + (before + 1) / (rank + 1)).mean() / 2
    cuts = [min(int(rank[-1]) + 1, k) for k in CUTOFFS]
    return float(average), [float((rank < cut).sum() / cut) for cut in cuts]


def judged(queries: np.ndarray, database: np.ndarray, relevant: Sequence[Relevance], graded: bool) -> dict[str, np.ndarray]:
    """Average precision and precision at :data:`CUTOFFS` of each query and difficulty, from 0 to 1; NaN where nothing is right.

    Args:
        queries: (Q, D) vectors of any length.
        database: (N, D).
        relevant: what is right for each query.
        graded: whether easy and hard images are told apart.

    Returns:
        Metric -> (Q,).
    """
    import numpy as np

    found = {f"{what}{setup.name}": np.full(len(relevant), np.nan) for setup in setups(graded) for what in _columns()}
    asked, known = unit(queries), unit(database)
    for place, some in enumerate(relevant):
        ranking = ranked(asked[place], known)
        for setup in setups(graded):
            right, junk = ([at for part in parts for at in getattr(some, part)] for parts in (setup.right, setup.junk))
            average, at_cutoffs = precisions(ranking, right, junk)
            for what, value in zip(_columns(), (average, *at_cutoffs), strict=True):
                found[f"{what}{setup.name}"][place] = value
    return found


def _columns() -> list[str]:
    return ["mAP", *(f"mP@{k}" for k in CUTOFFS)]


def summarise(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Means (%) over the queries that have something right; NaN where none has."""
    import numpy as np

    return {name: 100 * float(np.mean(some)) if len(some := values[~np.isnan(values)]) else float("nan") for name, values in found.items()}


def groups(relevant: Sequence[Relevance]) -> np.ndarray:
    """(Q,) which queries hang together, as those do that share a right image: several of one place, say."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    right = [(*some.easy, *some.hard) for some in relevant]
    count = len(relevant)
    asked = np.repeat(np.arange(count), [len(places) for places in right])
    found_for = count + np.fromiter(chain.from_iterable(right), int, len(asked))
    size = max(count, int(found_for.max(initial=0)) + 1)
    _, parts = connected_components(coo_array((np.ones(len(asked), bool), (asked, found_for)), (size, size)), directed=False)
    found: np.ndarray = np.unique(parts[:count], return_inverse=True)[1]
    return found


@dataclass(frozen=True)
class Whitening:
    """PCA whitening of vectors of length 1, as Jégou & Chum, ECCV 2012, have it."""

    mean: np.ndarray
    """(D,)."""
    axes: np.ndarray
    """(D, d): principal axes, divided by the spread along them."""

    @classmethod
    def learned(cls, vectors: np.ndarray, numbers: int) -> Whitening:
        """From vectors (N, D): the ``numbers`` axes of most spread, or as many as there are."""
        import numpy as np

        centred = unit(vectors)
        mean = centred.mean(axis=0)
        spread, axes = np.linalg.eigh(np.cov(centred, rowvar=False, bias=True).reshape(len(mean), -1))
        kept = np.flatnonzero(spread > 1e-9 * max(float(spread[-1]), 1e-12))[::-1][:numbers]
        return cls(mean, axes[:, kept] / np.sqrt(spread[kept]))

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(N, d) of (N, D)."""
        found: np.ndarray = (unit(vectors) - self.mean) @ self.axes
        return found
