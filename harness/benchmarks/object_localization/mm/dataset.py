"""The dataset: image labels for the training, boxes for the evaluation only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS

from harness.benchmarks.base import Split
from harness.benchmarks.object_localization import FAMILY
from harness.benchmarks.object_localization.readers.picture import Pictures


@TRANSFORMS.register_module()
class CropPart:
    """Cuts out ``results["crop"]`` (x0, y0, x1, y1), where there is one."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        crop = results.get("crop")
        if crop is not None:
            x0, y0, x1, y1 = crop
            results["img"] = np.ascontiguousarray(results["img"][y0:y1, x0:x1])
            results["img_shape"] = results["img"].shape[:2]
        return results


@DATASETS.register_module()
class LocalizationDataset(BaseDataset):
    """Pictures of any of the family's formats.

    Validation and test are followed by the images that choose the threshold of CorLoc's box, some of them for the second time
    where the test is the training split: they pass through the same model, and the metric keeps them apart by ``calibration``.

    Args:
        options: the benchmark's data options, without ``root``.
        split: ``train``, ``val`` or ``test``.
    """

    def __init__(self, options: dict[str, Any], split: Split, **kwargs: Any):
        self._options, self._split = options, split
        super().__init__(serialize_data=False, **kwargs)  # nobody shares it, and a serialized one cannot be empty

    def load_data_list(self) -> list[dict[str, Any]]:
        root = Path(self.data_root)
        data, found = FAMILY.listing(root, self._options)
        listing = cast(Pictures, found)
        decoding = listing.decoding(data)
        self._metainfo["classes"] = tuple(data.class_names or ())
        if self._split == "train":
            return [
                {
                    "img_path": str(root / picture.file),
                    "decoding": decoding,
                    "gt_label": list(picture.labels) if data.multi_label else picture.labels[0],
                    "crop": picture.crop,
                }
                for picture in listing.split("train")
            ]
        scored = listing.split(self._split)
        return [
            {
                "img_path": str(root / picture.file),
                "decoding": decoding,
                "gt_label": list(picture.labels),
                "boxes": np.array(picture.boxes, np.float64),
                "calibration": calibration,
            }
            for calibration, pictures in ((False, scored), (True, listing.calibrating(data.calibrate) if scored else []))
            for picture in pictures
        ]
