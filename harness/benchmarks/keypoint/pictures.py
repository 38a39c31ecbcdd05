"""Poses drawn into their images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness import images
from harness.benchmarks.base import Sample, relative
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.diagnostics.maps import Marks

_VISIBLE = (40, 220, 90)
_COVERED = (255, 60, 60)


def samples(root: Path, data: KeypointData, listing: Poses, count: int) -> list[Sample]:
    """The first ``count`` poses of the test split."""
    decoding = listing.decoding(data)
    return [_draw(root, pose, images.read_rgb(pose.file, decoding)) for pose in listing.split("test")[:count]]


def _draw(root: Path, pose: Pose, image: np.ndarray) -> Sample:
    """A sample with its box and points: green where visible, red where labelled but covered."""
    import cv2

    annotated, factor = images.enlarge(image)
    annotated = annotated.copy()
    radius = max(2, round(max(annotated.shape[:2]) / 110))
    x0, y0, x1, y1 = (round(v * factor) for v in pose.box)
    if (x0, y0, x1, y1) != (0, 0, pose.size[0] * factor, pose.size[1] * factor):
        cv2.rectangle(annotated, (x0, y0), (x1, y1), (255, 220, 0), max(1, radius // 2))
    for (x, y), flag in zip(pose.points, pose.visible, strict=True):
        if flag:
            centre = (round(float(x) * factor), round(float(y) * factor))
            cv2.circle(annotated, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(annotated, centre, radius, _COVERED if flag == 1 else _VISIBLE, -1, cv2.LINE_AA)
    labelled, covered = int((pose.visible > 0).sum()), int((pose.visible == 1).sum())
    caption = f"{labelled} of {len(pose.visible)} points" + (f", {covered} covered" if covered else "")
    return Sample(relative(pose.file, root), image, annotated, caption)


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """The points of a tested figure and the predicted ones, in the part of the image that the network saw."""
    known = np.asarray(sample.gt_instances.keypoints_visible)[0] > 0

    def seen(points: Any) -> np.ndarray:
        places = (np.asarray(points)[0] - sample.input_center) / sample.input_scale + 0.5
        return np.column_stack([places, known])

    return Marks(points=seen(sample.gt_instances.keypoints)), Marks(points=seen(sample.pred_instances.keypoints))
