"""The dataset, and how its label maps are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS

from harness.benchmarks.base import Split
from harness.benchmarks.segmentation import FAMILY
from harness.benchmarks.segmentation.readers.pairs import Pairs


@TRANSFORMS.register_module()
class ReadLabel(BaseTransform):
    """Reads the label map of ``pair`` as ``labels`` say, as ``gt_seg_map`` (H, W) uint8."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results["gt_seg_map"] = results["pair"].read(results["labels"])
        results["seg_fields"] = ["gt_seg_map"]
        return results


@DATASETS.register_module()
class SegmentationDataset(BaseDataset):
    """Images and label maps of any of the family's formats.

    Args:
        options: the benchmark's data options, without ``root``.
        split: ``train``, ``val`` or ``test``.
    """

    def __init__(self, options: dict[str, Any], split: Split, **kwargs: Any):
        self._options, self._split = options, split
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        data, found = FAMILY.listing(Path(self.data_root), self._options)
        listing = cast(Pairs, found)
        self._metainfo["classes"] = tuple(listing.classes)
        common = {"labels": listing.labels, "decoding": listing.decoding(data), "seg_fields": []}
        return [
            {"img_path": str(pair.image), "seg_map_path": str(pair.label), "pair": pair, **common} for pair in listing.split(self._split)
        ]
