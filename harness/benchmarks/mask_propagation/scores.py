"""DAVIS's scores of masks in videos: region similarity J and contour accuracy F, as arrays.

Sources: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016; Pont-Tuset et al.,
"The 2017 DAVIS Challenge on Video Object Segmentation", arXiv 1704.00675; in every detail as davisvideochallenge/davis2017-evaluation
has them (semi-supervised), see ``davis2017/metrics.py`` and ``davis2017/utils.py`` there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.benchmarks.base import Metric
from harness.benchmarks.mask_propagation.options import PropagationData

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 0.008
"""Distance at which contours still agree, as a share of the frame's diagonal."""

_GOOD = 0.5
"""Score of a frame beyond which it counts for the recall."""

_BINS = 4
"""Parts of a video, of which the last is taken from the first for the decay."""


def metrics(_data: PropagationData) -> list[Metric]:
    """What a trial reports, see :func:`summarise`."""
    found = [Metric("jf_mean", "%", True, "Mean of J and F")]
    for name, what in (("j", "J, the overlap of regions"), ("f", "F, the agreement of contours")):
        found += [
            Metric(f"{name}_mean", "%", True, f"Mean over objects of {what}"),
            Metric(f"{name}_recall", "%", True, f"Share of frames with more than 50 % of {what}"),
            Metric(f"{name}_decay", "%", False, f"What the last quarter of a video has lost of {what}"),
        ]
    return [*found, Metric("pixels", "%", True, "Mean of J and F, propagated by the frames' pixels in the place of features")]


def scored(annotated: Sequence[int]) -> Sequence[int]:
    """Which of the frames with a mask are scored: neither the first, which is given, nor the last."""
    return annotated[1:-1]


def region(truth: np.ndarray, guess: np.ndarray) -> float:
    """J: intersection over union of two masks (H, W) bool; 1 where both are empty."""
    union = int((truth | guess).sum())
    return int((truth & guess).sum()) / union if union else 1.0


def contour(mask: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool whose mask differs from that to the right, below, or both: half a pixel towards the origin."""
    found = mask.copy()
    found[:-1, :-1] = (mask[:-1, :-1] != mask[:-1, 1:]) | (mask[:-1, :-1] != mask[1:, :-1]) | (mask[:-1, :-1] != mask[1:, 1:])
    found[-1, :-1] = mask[-1, :-1] != mask[-1, 1:]
    found[:-1, -1] = mask[:-1, -1] != mask[1:, -1]
    found[-1, -1] = False
    return found


def boundary(truth: np.ndarray, guess: np.ndarray) -> float:
    """F: harmonic mean of the shares of either contour that lie near the other; of an empty one see the source.

    Args:
        truth, guess: (H, W) bool.
    """
    import cv2
    import numpy as np

    reach = math.ceil(TOLERANCE * math.hypot(*truth.shape))
    part = _around(truth | guess, 2)  # beyond that there is no contour
    lines = [contour(mask[part]).astype(np.uint8) for mask in (truth, guess)]
    steps = np.arange(-reach, reach + 1)
    disk = (steps[:, None] ** 2 + steps**2 <= reach**2).astype(np.uint8)
    near = [cv2.dilate(line, disk).astype(np.uint8) for line in lines]
    counts = [int(line.sum()) for line in lines]
    if not all(counts):
        return 0.0 if any(counts) else 1.0
    recall, precision = int((lines[0] & near[1]).sum()) / counts[0], int((lines[1] & near[0]).sum()) / counts[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns that hold all of a mask, with so much around it as there is."""
    import numpy as np

    found = []
    for axis in (1, 0):
        there = np.flatnonzero(mask.any(axis=axis))
        found.append(slice(max(int(there[0]) - margin, 0), int(there[-1]) + 1 + margin) if len(there) else slice(0, 1))
    return found[0], found[1]


def statistics(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, recall and decay of an object's scores (T,), frame by frame: ``db_statistics``."""
    import numpy as np

    ends = np.round(np.linspace(1, len(values), _BINS + 1) + 1e-10).astype(int) - 1
    first, *_, last = (values[ends[part] : ends[part + 1] + 1] for part in range(_BINS))
    return float(values.mean()), float((values > _GOOD).mean()), float(first.mean() - last.mean())


def of_object(truths: Sequence[np.ndarray], guesses: Sequence[np.ndarray]) -> np.ndarray:
    """(2, 3): mean, recall and decay of J, then of F, of one object in the scored frames of its video.

    Args:
        truths, guesses: masks (H, W) bool, a frame each.
    """
    import numpy as np

    pairs = [*zip(truths, guesses, strict=True)]
    return np.array([statistics(np.array([score(*pair) for pair in pairs])) for score in (region, boundary)])


def per_object(found: np.ndarray) -> dict[str, np.ndarray]:
    """Scores in percent of each object, by name.

    Args:
        found: (objects, 2, 3), of :func:`of_object`.
    """
    scores = {"jf_mean": found[:, :, 0].mean(axis=1)}
    scores |= {
        f"{name}_{what}": found[:, row, column]
        for row, name in enumerate(("j", "f"))
        for column, what in enumerate(("mean", "recall", "decay"))
    }
    return {name: 100 * values for name, values in scores.items()}


def summarise(found: np.ndarray) -> dict[str, float]:
    """Means over objects, each of which counts alike, in percent."""
    return {name: float(values.mean()) for name, values in per_object(found).items()}
