"""The dataset: poses of every format the harness reads itself, as mmpose's pipelines expect them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from mmengine.registry import DATASETS
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from harness.benchmarks.base import Split
from harness.benchmarks.keypoint import FAMILY
from harness.benchmarks.keypoint.readers.pose import Pose, Poses
from harness.benchmarks.keypoint.scores import coco_annotation
from harness.benchmarks.keypoint.sides import mirrors

_ANY_SIGMA = 0.05
"""Stands where a dataset has no fall-offs of the object keypoint similarity; no metric then uses them."""


@DATASETS.register_module()
class KeypointDataset(BaseCocoStyleDataset):
    """Poses of any format the harness reads itself, in the form mmpose's pipelines expect.

    Args:
        options: the benchmark's data options, as plain data.
        split: ``train``, ``val`` or ``test``.
    """

    def __init__(self, options: dict[str, Any], split: Split, data_root: str, **kwargs: Any):
        data, listing = FAMILY.listing(Path(data_root), options)
        self._poses, self._decoding = listing.split(split), listing.decoding(data)
        # nobody shares the list, and a serialized one cannot be empty
        metainfo = _metainfo(cast(Poses, listing))
        super().__init__(ann_file=None, data_root=data_root, metainfo=metainfo, serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        # what CocoMetric writes into the file it evaluates against
        self._metainfo["CLASSES"] = [{"id": 1, "name": "instance"}]
        return [_info(pose) | {"decoding": self._decoding} for pose in self._poses]


@DATASETS.register_module(name="PartOf")  # type: ignore[untyped-decorator]  # mmengine has no types
def part_of(of: str, options: dict[str, Any], split: Split, data_root: str, **kwargs: Any) -> Any:
    """A dataset of mmpose with the samples that belong to one split, of a file from which a validation split is held out.

    A build function, not a class: what it returns is the dataset itself.

    Args:
        of: mmpose's class; ``kwargs`` are its arguments.
        options: the benchmark's data options, as plain data.
        split: ``train`` or ``val``.
    """
    _, listing = FAMILY.listing(Path(data_root), options)
    whole = DATASETS.build({"type": of, "data_root": data_root, "serialize_data": False, **kwargs})
    whole.get_subset_([pose.annotation_id - 1 for pose in cast(Poses, listing).split(split)])
    return whole


def _metainfo(listing: Poses) -> dict[str, Any]:
    count, swaps = len(listing.names), mirrors(listing.names)
    return {
        "dataset_name": "harness",
        "keypoint_info": {index: {"name": name, "id": index, "swap": swaps.get(name, "")} for index, name in enumerate(listing.names)},
        "skeleton_info": {},
        "joint_weights": [1.0] * count,
        "sigmas": list(listing.sigmas or [_ANY_SIGMA] * count),
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
        "raw_ann_info": coco_annotation(pose),
        **({"head_size": np.array([[pose.head]], np.float32)} if pose.head is not None else {}),
    }
