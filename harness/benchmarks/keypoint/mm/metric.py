"""The evaluators: mmpose's, with scores per sample and in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from mmpose.evaluation import CocoMetric, PCKAccuracy

from harness.benchmarks.keypoint import scores
from harness.outcome import GROUP


@METRICS.register_module()
class KeypointAccuracy(PCKAccuracy):
    """mmpose's PCK (%), the median error in pixels of the original image, scores per joint and per sample.

    Args:
        norm, thresholds, segment: of further metrics, see :class:`~harness.benchmarks.keypoint.options.KeypointData`.

    Attributes:
        per_sample: ``PCK@0.05`` (share of the sample's points, %) and ``mean_px`` -> (N,) float32, and the
            number of each sample's image where some hold several.
    """

    def __init__(self, norm: str = "box", thresholds: Sequence[float] = (), segment: Sequence[str] = ()) -> None:
        super().__init__(thr=scores.THRESHOLD, norm_item="bbox")
        self.further = (norm, thresholds, segment)
        self.per_sample: dict[str, np.ndarray] = {}

    def process(self, data_batch: Any, data_samples: list[dict[str, Any]]) -> None:
        first = len(self.results)
        super().process(data_batch, data_samples)
        for result, sample in zip(self.results[first:], data_samples, strict=True):
            flags = 2 * result["mask"].astype(int)
            raw = (sample.get("raw_ann_info") or {}).get("keypoints")
            if raw is not None and len(raw) == 3 * flags.shape[1]:
                flags = np.where(flags > 0, np.array(raw).reshape(1, -1, 3)[..., 2].astype(int), 0)
            result["flags"] = flags
            result["image"] = np.array([str(sample.get("img_id", ""))])

    def compute_metrics(self, results: list[dict[str, np.ndarray]]) -> dict[str, float]:
        joined = {name: np.concatenate([result[name] for result in results]) for name in results[0]}
        lengths = joined["bbox_size"][:, 0]
        far = scores.distances(joined["pred_coords"], joined["gt_coords"], joined["flags"], lengths)
        named = (self.dataset_meta or {}).get("keypoint_id2name", {})
        names = [named[index] for index in sorted(named)]
        against = scores.further(*self.further, names, joined["gt_coords"], joined["flags"], lengths)
        metrics, self.per_sample = scores.summary(far, joined["flags"], lengths, names, against)
        images, of_image = np.unique(joined.pop("image"), return_inverse=True)
        if 1 < len(images) < len(of_image):
            self.per_sample[GROUP] = of_image.astype(np.float32)
        return metrics | {scores.PCK: 100 * float(super().compute_metrics(results)["PCK"])}


@METRICS.register_module()
class KeypointAP(CocoMetric):
    """mmpose's COCO keypoint evaluation in percent.

    Args:
        every: give all of ``scores.COCO_STATS``, and not only AP and AP50.
    """

    default_prefix = None

    def __init__(self, every: bool = False) -> None:
        super().__init__()
        names = {scores.AP: "AP", scores.AP50: "AP .5"}
        self.names = names | ({"AP75": "AP .75", "APM": "AP (M)", "APL": "AP (L)", "AR": "AR"} if every else {})

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        found = super().compute_metrics(results)
        return {name: scores.percent(found[key]) for name, key in self.names.items()}


@METRICS.register_module()
class HeadAccuracy(BaseMetric):
    """MPII's PCKh (%), see :func:`scores.head_accuracy`.

    Attributes:
        per_sample: ``PCKh@0.5`` -> (N,) float32, the share of the figure's points, NaN where none counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.per_sample: dict[str, np.ndarray] = {}

    def process(self, data_batch: Any, data_samples: list[dict[str, Any]]) -> None:
        for sample in data_samples:
            truth = sample["gt_instances"]
            points, heads = np.asarray(sample["pred_instances"]["keypoints"]), np.asarray(truth["head_size"]).reshape(-1)
            flags = np.asarray(truth["keypoints_visible"]).reshape(points.shape[:2])
            self.results.append((scores.distances(points, np.asarray(truth["keypoints"]), flags, heads), heads))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        far, heads = (np.concatenate(parts) for parts in zip(*results, strict=True))
        named = (self.dataset_meta or {}).get("keypoint_id2name", {})
        names = [named[index] for index in sorted(named)]
        counted = far[:, [name not in scores.TRUNK for name in names]]
        labelled = np.isfinite(counted).sum(axis=1)
        hits = (counted < scores.HEAD_SHARES[0] * heads[:, None]).sum(axis=1)
        self.per_sample = {f"PCKh@{scores.HEAD_SHARES[0]:g}": (100 * hits / np.where(labelled, labelled, np.nan)).astype(np.float32)}
        return scores.head_accuracy(far, heads, names)
