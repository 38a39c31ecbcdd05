"""The objects that are followed, and the frames of their videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from mmpretrain.structures import DataSample
from PIL import Image
from torch import Tensor

from harness.benchmarks.mask_propagation import FAMILY
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.videos import Video, Videos
from harness.errors import DataError
from harness.images import Decoding, read_bgr


@dataclass(frozen=True)
class Film:
    """A video as the network sees it; a frame is read when it is asked for."""

    video: Video
    decoding: Decoding
    data: PropagationData

    def __len__(self) -> int:
        return len(self.video.frames)

    def frame(self, place: int) -> Tensor:
        """(3, H, W) uint8, blue, green and red.

        Raises:
            DataError: it cannot be read.
        """
        file = self.video.frames[place]
        try:
            pixels = read_bgr(file, self.decoding)
        except ValueError as reason:
            raise DataError(f"{file}: {reason}. Restore it; `harness data check` lists all.") from None
        height, width = self.data.seen(*pixels.shape[:2])
        return torch.from_numpy(cv2.resize(pixels, (width, height)).transpose(2, 0, 1).copy())

    def given(self, height: int, width: int) -> Tensor:
        """(1 + objects, height, width) float of 0 and 1: where the background and each object is in the first frame.

        Each position has the number that Pillow's nearest neighbour finds, as in DINO's script.
        """
        small = Image.fromarray(self.video.labels(0)).resize((width, height), Image.Resampling.NEAREST)
        numbers = torch.from_numpy(np.array(small)).long()
        return torch.nn.functional.one_hot(numbers, 1 + len(self.video.objects)).permute(2, 0, 1).float()


@DATASETS.register_module()
class TrackedObjects(BaseDataset):
    """A sample for each object of any of the family's formats: the first frame of its video, with the video and the object's number.

    Args:
        options: the benchmark's data options, without ``root``.
    """

    def __init__(self, options: dict[str, Any], **kwargs: Any):
        self._options = options
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        data, found = FAMILY.listing(Path(self.data_root), self._options)
        listing = cast(Videos, found)
        listing.split("test")
        decoding = listing.decoding(data)
        return [
            {
                "img_path": str(tracked.video.frames[0]),
                "decoding": decoding,
                "film": Film(tracked.video, decoding, data),
                "number": tracked.number,
            }
            for tracked in listing.tracked
        ]

    def prepare_data(self, idx: int) -> dict[str, Any]:
        info = self.get_data_info(idx)
        sample = DataSample(metainfo={name: info[name] for name in ("img_path", "film", "number", "sample_idx")})
        return {"inputs": info["film"].frame(0), "data_samples": sample}
