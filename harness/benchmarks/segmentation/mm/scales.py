"""A segmentor that is tested at several scales, and mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from mmengine.registry import MODELS
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from torch import Tensor


@MODELS.register_module()
class ScalesAndFlips(EncoderDecoder):
    """mmseg's ``EncoderDecoder``, whose prediction is the mean of the class probabilities at several scales (mmseg's ``SegTTAModel``).

    The normalized test image is resized, bilinearly, where mmseg reads and resizes the file anew for each scale.

    Args:
        scales: factors of the test image, as it comes to the network.
        flip: whether each is seen mirrored, too.
        kwargs: of ``mmseg.EncoderDecoder``.
    """

    def __init__(self, scales: Sequence[float], flip: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.scales, self.mirrored = tuple(scales), (False, True) if flip else (False,)

    def predict(self, inputs: Tensor, data_samples: Any = None) -> Any:
        """(B, 3, H, W) -> the samples with ``pred_sem_seg``; their ``seg_logits`` are logarithms of the mean probabilities."""
        shape = tuple(inputs.shape[2:])
        metas = [sample.metainfo for sample in data_samples] if data_samples else [{"ori_shape": shape}] * len(inputs)
        total = inputs.new_zeros(())
        for scale, mirror in product(self.scales, self.mirrored):
            size = tuple(max(1, round(side * scale)) for side in shape)
            seen = inputs if size == shape else resize(inputs, size=size, mode="bilinear", align_corners=self.align_corners)
            # a copy of what is told of the images: sliding windows write their own size there
            logits = self.inference(seen.flip(3) if mirror else seen, [dict(meta, img_shape=size) for meta in metas])
            logits = resize(logits.flip(3) if mirror else logits, size=shape, mode="bilinear", align_corners=self.align_corners)
            total = total + logits.softmax(dim=1)
        mean = total / (len(self.scales) * len(self.mirrored))
        return self.postprocess_result(torch.log(mean), data_samples)
