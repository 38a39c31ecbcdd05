"""The evaluator: COCO's average precision, with scores per class and per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from harness.benchmarks.detection.scores import Found, per_image, summarise
from harness.benchmarks.predictions import run_lengths


@METRICS.register_module()
class DetectionScores(BaseMetric):
    """COCO's twelve numbers in percent, see :func:`harness.benchmarks.detection.scores.summarise`.

    Args:
        masks: whether masks are scored, too.

    Attributes:
        per_sample: ``AP`` of boxes within each test image, in test-set order; NaN where it shows nothing.
    """

    default_prefix = None

    def __init__(self, masks: bool = False) -> None:
        super().__init__()
        self.masks = masks
        self.per_sample: dict[str, np.ndarray] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        for sample in data_samples:
            found = sample["pred_instances"]
            boxes, scores, labels = (found[name].detach().cpu().numpy() for name in ("bboxes", "scores", "labels"))
            masks = [*map(run_lengths, found["masks"].cpu().numpy())] if self.masks else ()
            # widths and heights of the files: annotations need not say them
            height, width = sample["ori_shape"][:2]
            self.results.append((replace(sample["truth"], size=(width, height)), Found(boxes, scores, labels, masks)))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        pictures, found = ([*some] for some in zip(*results, strict=True))
        self.per_sample = {"AP": per_image(pictures, found)}
        return summarise(pictures, found, (self.dataset_meta or {})["classes"], masks=self.masks)
