"""The trivial predictor: every point at its mean place in the box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.benchmarks.keypoint import scores
from harness.benchmarks.keypoint.poses import Pose

if TYPE_CHECKING:
    import numpy as np


def mean_pose(poses: list[Pose]) -> np.ndarray:
    """(K, 2) mean places relative to the box (0 to 1); the middle for a point that is labelled nowhere."""
    import numpy as np

    boxes = np.array([pose.box for pose in poses])
    corner, extent = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    relative = (np.stack([pose.points for pose in poses]) - corner) / extent
    labelled = np.stack([pose.visible for pose in poses])[..., None] > 0
    total = labelled.sum(axis=0)
    return np.where(total, np.where(labelled, relative, 0).sum(axis=0) / np.maximum(total, 1), 0.5)


def floor(train: list[Pose], test: list[Pose], sigmas: tuple[float, ...] | None) -> dict[str, float]:
    """Metrics of the mean pose of ``train`` on ``test``; AP where ``sigmas`` are known."""
    import numpy as np

    boxes = np.array([pose.box for pose in test])
    extent = boxes[:, 2:] - boxes[:, :2]
    predicted = boxes[:, None, :2] + mean_pose(train) * extent[:, None]
    flags = np.stack([pose.visible for pose in test])
    lengths = extent.max(axis=1)
    far = scores.distances(predicted, np.stack([pose.points for pose in test]), flags, lengths)
    metrics, _ = scores.summary(far, flags, lengths)
    return metrics | (scores.average_precision(predicted, test, sigmas) if sigmas else {})
