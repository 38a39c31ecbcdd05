"""What is true of a tested image and what was predicted, of the kinds of tasks that the families know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.benchmarks.base import Sample
from harness.benchmarks.classification import pictures as classification
from harness.benchmarks.detection import pictures as detection
from harness.benchmarks.keypoint import pictures as keypoint
from harness.benchmarks.openmmlab.options import OpenMMLabData
from harness.benchmarks.openmmlab.readers.config import Files
from harness.benchmarks.segmentation import pictures as segmentation
from harness.diagnostics.maps import Marks


def samples(_root: Path, _data: OpenMMLabData, _listing: Files, _count: int) -> list[Sample]:
    """None: which files are images, and what is true of them, only the config's datasets know."""
    return []


def marks(sample: Any, evaluator: Any) -> tuple[Marks, Marks]:
    """As the family of the task has it. Of detectors what they found: whether what is true is in the pixels of the image or of the
    network's input follows from the order of a config's transforms."""
    if "pred_sem_seg" in sample:
        return segmentation.marks(sample, evaluator)
    if "pred_instances" in sample and "keypoints" in sample.pred_instances:
        return keypoint.marks(sample, evaluator)
    if "pred_instances" in sample and {"bboxes", "scores", "labels"} <= {*sample.pred_instances.keys()}:
        return Marks(), detection.found(sample, evaluator)
    if "pred_score" in sample:
        return classification.marks(sample, evaluator)
    return Marks(), Marks()
