"""mmseg's IoU metric, unrounded, with scores per class and per image."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.registry import METRICS
from mmseg.evaluation.metrics import IoUMetric

from harness.benchmarks.parts import pixels
from harness.benchmarks.segmentation.scores import per_image, summarise
from harness.outcome import Confusion


@METRICS.register_module()
class SegmentationScores(IoUMetric):
    """mIoU, mAcc, aAcc and IoU/<class> in percent from the confusion of the whole dataset.

    mmseg's metric counts the pixels. Its own summary rounds to two decimals, gives classes to the log only, and adds
    in float32, which is inexact beyond 16.7 million pixels.

    Attributes:
        per_sample: ``mIoU`` and ``aAcc`` within each test image, in test-set order.
        confusion: of the pixels of all.
    """

    def __init__(self, ignore_index: int = 255):
        super().__init__(ignore_index=ignore_index)
        self.per_sample: dict[str, np.ndarray] = {}
        self.confusion: Confusion | None = None

    @staticmethod
    def intersect_and_union(pred_label: Any, label: Any, num_classes: int, ignore_index: int) -> tuple[Any, ...]:
        """mmseg's counts of an image, and :func:`harness.benchmarks.parts.pixels.pairs`."""
        found = IoUMetric.intersect_and_union(pred_label, label, num_classes, ignore_index)
        return *found, pixels.pairs(pred_label, label, num_classes, ignore_index)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Scores from what ``process`` counted: (intersection, union, predicted, labelled, pairs) per image."""
        images = np.stack([np.stack([row[i].double().numpy() for i in (0, 2, 3)]) for row in results])
        self.per_sample = per_image(images)
        classes = self.dataset_meta["classes"]
        self.confusion = Confusion(tuple(classes), pixels.counts((row[4] for row in results), len(classes)), "pixels")
        return summarise(images.sum(0), classes)
