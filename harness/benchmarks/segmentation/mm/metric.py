"""mmseg's IoU metric, unrounded, with scores per class and per image."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.registry import METRICS
from mmseg.evaluation.metrics import IoUMetric

from harness.benchmarks.segmentation.scores import per_image, summarise


@METRICS.register_module()
class SegmentationScores(IoUMetric):
    """mIoU, mAcc, aAcc and IoU/<class> in percent from the confusion of the whole dataset.

    mmseg's metric counts the pixels. Its own summary rounds to two decimals, gives classes to the log only, and adds
    in float32, which is inexact beyond 16.7 million pixels.

    Attributes:
        per_sample: ``mIoU`` and ``aAcc`` within each test image, in test-set order.
    """

    def __init__(self, ignore_index: int = 255):
        super().__init__(ignore_index=ignore_index)
        self.per_sample: dict[str, np.ndarray] = {}

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Scores from what ``process`` counted: (intersection, union, predicted, labelled) per image."""
        images = np.stack([np.stack([row[i].double().numpy() for i in (0, 2, 3)]) for row in results])
        self.per_sample = per_image(images)
        return summarise(images.sum(0), self.dataset_meta["classes"])
