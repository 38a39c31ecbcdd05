"""Pose errors of a test run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from harness.benchmarks.camera_localization import scores
from harness.outcome import GROUP


@METRICS.register_module()
class PoseMetric(BaseMetric):
    """Medians per scene and their average, recalls, scene accuracy; see :func:`scores.summarise`.

    After :meth:`compute_metrics`, ``per_sample`` holds each frame's errors and the number of its folder, since frames of a sequence
    are alike, and ``predictions`` the poses themselves.

    Args:
        scenes: names of the scenes.
        thresholds: (distance, degrees) pairs of the recalls.
        lower: median of an even count, see :func:`scores.median`.
        length: the unit of distances.
    """

    def __init__(self, scenes: Sequence[str], thresholds: Sequence[Sequence[float]], lower: bool = False, length: str = "m"):
        super().__init__()
        self.scenes = list(scenes)
        self.thresholds = [(distance, degrees) for distance, degrees in thresholds]
        self.lower, self.length = lower, length
        self.per_sample: dict[str, np.ndarray] = {}
        self.predictions: dict[str, np.ndarray] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        names = ("position", "quaternion", "scene")
        for sample in data_samples:
            poses = {name: sample[name].float().cpu().numpy() for n in names for name in (n, f"pred_{n}")}
            self.results.append(poses | {"folder": np.array(str(Path(sample["img_path"]).parent))})

    def compute_metrics(self, results: list[dict[str, np.ndarray]]) -> dict[str, float]:
        poses = {name: np.stack([result[name] for result in results]) for name in results[0]}
        _, folder = np.unique(poses.pop("folder"), return_inverse=True)
        position = scores.position_errors(poses["pred_position"], poses["position"])
        orientation = scores.orientation_errors(poses["pred_quaternion"], poses["quaternion"])
        correct = poses["pred_scene"] == poses["scene"]
        self.predictions = poses
        self.per_sample = {
            "position_error_m" if self.length == "m" else "position_error": position.astype(np.float32),
            "orientation_error_deg": orientation.astype(np.float32),
            "scene_correct": correct.astype(np.float32),
            GROUP: folder.astype(np.float32),
        }
        errors = (position, orientation, poses["scene"], correct)
        return scores.summarise(*errors, scenes=self.scenes, thresholds=self.thresholds, lower=self.lower, length=self.length)
