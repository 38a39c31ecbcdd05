"""A transform that remembers what a fixed chain of transforms made of each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Remember(BaseTransform):
    """Runs ``transforms`` once per sample and hands out a copy of the result afterwards.

    Decoding and resizing an image takes longer than a small model's step on it, and both give the same result in
    every epoch. Only transforms without randomness belong inside. What follows may replace entries of the result
    but must not write into its arrays; OpenMMLab's transforms make new ones, but for mmdet's boxes, which are flipped in place.

    Args:
        transforms: configs of the transforms.
        megabytes: most memory to use; samples beyond it are made anew each time.
    """

    def __init__(self, transforms: list[dict[str, Any]], megabytes: int = 512):
        self.chain = Compose(transforms)
        self.free = megabytes << 20
        self.made: dict[int, dict[str, Any]] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        index = results["sample_idx"]
        if index in self.made:
            return _apart(self.made[index])
        made: dict[str, Any] = self.chain(results)
        size = sum(value.nbytes for value in made.values() if isinstance(value, np.ndarray))
        if size <= self.free:
            self.free -= size
            self.made[index] = _apart(made)
        return made


def _apart(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value.clone() if hasattr(value, "clone") else value for name, value in made.items()}
