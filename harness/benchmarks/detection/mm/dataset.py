"""The dataset: pictures of every format, as mmdet's pipelines expect them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from harness.benchmarks.base import Split
from harness.benchmarks.detection import FAMILY
from harness.benchmarks.detection.readers.picture import Object, Pictures


@DATASETS.register_module()
class DetectionDataset(BaseDataset):
    """Pictures of any of the family's formats; those without objects are tested and not trained on, as mmdet has it.

    Args:
        options: the benchmark's data options, without ``root``.
        split: ``train``, ``val`` or ``test``.
    """

    def __init__(self, options: dict[str, Any], split: Split, **kwargs: Any):
        self._options, self._split = options, split
        super().__init__(serialize_data=False, **kwargs)  # nobody shares it, and a serialized one cannot be empty

    def load_data_list(self) -> list[dict[str, Any]]:
        data, found = FAMILY.listing(Path(self.data_root), self._options)
        listing = cast(Pictures, found)
        self._metainfo |= {"classes": tuple(listing.classes), "ids": listing.ids.get(self._split, {})}
        decoding = listing.decoding(data)
        return [
            {
                "img_path": str(picture.file),
                "img_id": picture.number,
                "instances": [_instance(item) for item in picture.objects],
                "truth": picture,
                "decoding": decoding,
            }
            for picture in listing.split(self._split)
        ]


def _instance(item: Object) -> dict[str, Any]:
    mask = {} if item.mask is None else {"mask": item.mask}
    return {"bbox": list(item.box), "bbox_label": item.label, "ignore_flag": int(item.optional), **mask}
