"""The trivial predictor: the same ranking by the pixels themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.classification.readers.labelled import Labelled
from harness.benchmarks.image_retrieval.options import RetrievalData
from harness.benchmarks.image_retrieval.pictures import pixels
from harness.benchmarks.image_retrieval.readers.searched import Searched
from harness.benchmarks.image_retrieval.scores import judged, summarise

if TYPE_CHECKING:
    import numpy as np

    from harness.images import Decoding

_SIDE = 8
"""Pixels of the pictures whose numbers are the vector."""


def floor(_root: Path, data: RetrievalData, listing: Searched) -> dict[str, float]:
    """What is found without any network: by the colours of 8 x 8 pixels, their mean taken away."""
    listing.split("test")  # refuses what is malformed
    decoding = listing.decoding(data)
    relevant = [query.relevance for query in listing.queries]
    return summarise(judged(_vectors(listing.queries, decoding), _vectors(listing.database, decoding), relevant, data.graded))


def _vectors(samples: Sequence[Labelled], decoding: Decoding) -> np.ndarray:
    import cv2
    import numpy as np

    found = np.array(
        [cv2.resize(pixels(sample, decoding), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel() for sample in samples], np.float32
    )
    centred: np.ndarray = found - found.mean(axis=1, keepdims=True)
    return centred
