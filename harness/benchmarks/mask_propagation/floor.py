"""The trivial predictor: nothing moves."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.videos import Videos
from harness.benchmarks.mask_propagation.scores import of_object, summarise


def floor(_root: Path, _data: PropagationData, listing: Videos) -> dict[str, float]:
    """The scores of the first frame's masks, copied to every other frame."""
    import numpy as np

    listing.split("test")
    found = []
    for video in listing.clips:
        first = video.labels(0)
        truths = [video.labels(frame) for frame in video.scored]
        for number in range(1, len(video.objects) + 1):
            found.append(of_object([labels == number for labels in truths], [first == number] * len(truths)))
    return summarise(np.array(found))
