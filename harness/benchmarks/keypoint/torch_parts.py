"""mmengine classes of the keypoint family: the dataset and the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS, METRICS
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.evaluation import CocoMetric, PCKAccuracy
from pydantic import TypeAdapter

import harness.benchmarks.parts.remember  # noqa: F401
from harness.benchmarks.keypoint import scores
from harness.benchmarks.keypoint.options import CocoData, DeepLabCutData, KeypointData, SyntheticData
from harness.benchmarks.keypoint.poses import Pose
from harness.benchmarks.keypoint.source import read

_OPTIONS = TypeAdapter(SyntheticData | CocoData | DeepLabCutData)
_ANY_SIGMA = 0.05
"""Stands where a dataset has no fall-offs of the object keypoint similarity; no metric then uses them."""


@DATASETS.register_module()
class KeypointDataset(BaseCocoStyleDataset):
    """Poses of any format the harness reads itself, in the form mmpose's pipelines expect.

    Args:
        options: the benchmark's data options, as plain data.
        split: ``train`` or ``test``.
    """

    def __init__(self, options: dict[str, Any], split: str, **kwargs: Any):
        self.options: KeypointData = _OPTIONS.validate_python(options)
        self.split = split
        super().__init__(ann_file=None, metainfo=_metainfo(self.options), **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        # what CocoMetric writes into the file it evaluates against
        self._metainfo["CLASSES"] = [{"id": 1, "name": "instance"}]
        poses = read(Path(self.data_root), self.options).poses(train=self.split == "train")
        return [_info(pose) for pose in poses]


def _metainfo(data: KeypointData) -> dict[str, Any]:
    return {
        "dataset_name": "harness",
        "keypoint_info": {index: {"name": name, "id": index} for index, name in enumerate(data.names)},
        "skeleton_info": {},
        "joint_weights": [1.0] * data.count,
        "sigmas": list(data.oks_sigmas or [_ANY_SIGMA] * data.count),
    }


def _info(pose: Pose) -> dict[str, Any]:
    return {
        "img_id": pose.image_id,
        "img_path": str(pose.file),
        "bbox": np.array([pose.box], np.float32),
        "bbox_score": np.ones(1, np.float32),
        "num_keypoints": int((pose.visible > 0).sum()),
        "keypoints": pose.points[None].astype(np.float32),
        "keypoints_visible": (pose.visible[None] > 0).astype(np.float32),
        "area": np.array(pose.area, np.float32),
        "iscrowd": 0,
        "id": pose.annotation_id,
        "category_id": np.array(1),
        "raw_ann_info": scores.coco_annotation(pose),
    }


@METRICS.register_module()
class KeypointAccuracy(PCKAccuracy):
    """mmpose's PCK (%), the median error in pixels of the original image, and scores per sample.

    Attributes:
        per_sample: ``PCK@0.05`` (share of the sample's points, %) and ``mean_px`` -> (N,) float32.
    """

    def __init__(self) -> None:
        super().__init__(thr=scores.THRESHOLD, norm_item="bbox")
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

    def compute_metrics(self, results: list[dict[str, np.ndarray]]) -> dict[str, float]:
        joined = {name: np.concatenate([result[name] for result in results]) for name in results[0]}
        lengths = joined["bbox_size"][:, 0]
        far = scores.distances(joined["pred_coords"], joined["gt_coords"], joined["flags"], lengths)
        metrics, self.per_sample = scores.summary(far, joined["flags"], lengths)
        return metrics | {scores.PCK: 100 * float(super().compute_metrics(results)["PCK"])}


@METRICS.register_module()
class KeypointAP(CocoMetric):
    """mmpose's COCO keypoint evaluation; AP and AP50 in percent."""

    default_prefix = None

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        found = super().compute_metrics(results)
        return {name: 100 * float(found[key]) for name, key in (("AP", "AP"), ("AP50", "AP .5"))}
