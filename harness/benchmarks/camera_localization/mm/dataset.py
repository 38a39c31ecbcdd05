"""Posed images for mmengine's Runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, TRANSFORMS
from mmengine.structures import BaseDataElement

from harness.benchmarks.base import Split
from harness.benchmarks.camera_localization import FAMILY


@DATASETS.register_module()
class PoseDataset(BaseDataset):
    """Frames of one split of a camera-localization dataset.

    Each item of the data list has ``img_path``, ``scene`` (index), ``position`` (3,) and ``quaternion`` (4,),
    camera-to-world and scalar first.

    Args:
        root: the dataset's folder.
        options: the fields of a format's options, with ``format``.
        split: ``train``, ``val`` or ``test``.
        equalise: repeat frames of smaller scenes, drawn at random, up to the size of the largest.
    """

    def __init__(self, root: str, options: dict[str, Any], split: Split, pipeline: list[dict[str, Any]], equalise: bool = False):
        self.root, self.options, self.split, self.equalise = Path(root), options, split, equalise
        super().__init__(pipeline=pipeline, serialize_data=False)

    def load_data_list(self) -> list[dict[str, Any]]:
        data, listing = FAMILY.listing(self.root, self.options)
        decoding = listing.decoding(data)
        items = [
            {
                "img_path": str(self.root / frame.image),
                "decoding": decoding,
                "scene": frame.scene,
                "position": frame.position.astype(np.float32),
                "quaternion": frame.quaternion.astype(np.float32),
            }
            for frame in listing.split(self.split)
        ]
        if self.equalise:
            scene = np.array([item["scene"] for item in items])
            self.members = [np.flatnonzero(scene == s) for s in np.unique(scene)]
            self.drawn = max(map(len, self.members)) * len(self.members) - len(items)
        return items

    def __len__(self) -> int:
        frames: int = super().__len__()
        return frames + (self.drawn if self.equalise else 0)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The frame at ``index``, or a drawn one from the number of frames on; ``sample_idx`` is that of the frame."""
        frames = super().__len__()
        item: dict[str, Any] = super().__getitem__(index if index < frames else self._draw())
        return item

    def _draw(self) -> int:
        """A frame of a scene that has fewer than the largest, in proportion to what it lacks (as the authors draw)."""
        sizes = np.array([len(members) for members in self.members])
        lacking = sizes.max() - sizes
        return int(np.random.choice(self.members[np.random.choice(len(sizes), p=lacking / lacking.sum())]))


@TRANSFORMS.register_module()
class AugmentWhen:
    """One chain of transforms or another; the second training stage switches augmentation on.

    Args:
        plain: configs used as long as ``active`` is False.
        augmented: configs used from then on.
        active: which chain comes first.
    """

    def __init__(self, plain: list[dict[str, Any]], augmented: list[dict[str, Any]], active: bool):
        self.plain, self.augmented, self.active = Compose(plain), Compose(augmented), active

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        made: dict[str, Any] | None = (self.augmented if self.active else self.plain)(results)
        return made


@TRANSFORMS.register_module()
class PackPose:
    """Image and pose as the model takes them: ``inputs`` (3, H, W) uint8 and a ``data_samples`` element."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        image = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        sample = BaseDataElement(metainfo={"img_path": results["img_path"], "sample_idx": results["sample_idx"]})
        sample.position = torch.from_numpy(results["position"])
        sample.quaternion = torch.from_numpy(results["quaternion"])
        sample.scene = torch.tensor(results["scene"])
        return {"inputs": torch.from_numpy(image), "data_samples": sample}
