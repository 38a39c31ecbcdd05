"""The trivial predictor: every point at its mean place in the box."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.benchmarks.keypoint import scores
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.pose import Pose, Poses


def floor(_root: Path, data: KeypointData, listing: Poses) -> dict[str, float]:
    """Metrics of the mean pose of the training data, placed in every annotated box; AP where fall-offs are known."""
    test = listing.split("test")
    boxes = np.array([pose.box for pose in test])
    extent = boxes[:, 2:] - boxes[:, :2]
    predicted = boxes[:, None, :2] + _mean_pose(listing.split("train")) * extent[:, None]
    flags = np.stack([pose.visible for pose in test])
    lengths = extent.max(axis=1)
    truth = np.stack([pose.points for pose in test])
    far = scores.distances(predicted, truth, flags, lengths)
    against = scores.further(data.norm, data.thresholds, data.segment or (), listing.names, truth, flags, lengths)
    metrics, _ = scores.summary(far, flags, lengths, listing.names, against)
    if not data.has_truth:
        metrics = {}
    if data.has_head:
        metrics |= scores.head_accuracy(far, np.array([pose.head for pose in test]), listing.names)
    if not listing.sigmas:
        return metrics
    return metrics | scores.average_precision(predicted, test, listing.sigmas, every=data.has_every_ap)


def _mean_pose(poses: list[Pose]) -> np.ndarray:
    """(K, 2) mean places relative to the box (0 to 1); the middle for a point that is labelled nowhere."""
    boxes = np.array([pose.box for pose in poses])
    corner, extent = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    relative = (np.stack([pose.points for pose in poses]) - corner) / extent
    labelled = np.stack([pose.visible for pose in poses])[..., None] > 0
    total = labelled.sum(axis=0)
    return np.where(total, np.where(labelled, relative, 0).sum(axis=0) / np.maximum(total, 1), 0.5)
