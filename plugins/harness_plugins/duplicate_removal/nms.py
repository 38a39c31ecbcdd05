"""Non-maximum suppression."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import regions
from harness.slots import attention_method


@attention_method("nms", slot="duplicate_removal")
class NonMaximumSuppression(nn.Module):
    """A box that overlaps a better one of its class is none: the baseline of the ``duplicate_removal`` slot.

    Formula:
        s_n ← 0 if IoU(b_n, b_m) > threshold for a box m that stays and has s_m > s_n

    Shapes:
        features (R, C), boxes (R, K, 4) as x0, y0, x1, y1 in pixels and scores (R, K), of one image and K classes → scores (R, K).

    Parameters:
        0.

    Map:
        None: nothing attends.

    Source:
        As every detector has it, e.g. mmdet's ``nms`` with ``iou_threshold=0.5``, class by class.

    Args:
        channels: C of a region's feature; ignored.
        iou_threshold: overlap beyond which the worse of two boxes is a duplicate.
    """

    compiles = exports = False  # which boxes are compared depends on the scores

    def __init__(self, channels: int, iou_threshold: float = 0.5) -> None:
        super().__init__()
        self.iou_threshold = iou_threshold

    def forward(self, features: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
        """Features (R, C), boxes (R, K, 4) and scores (R, K) -> scores (R, K)."""
        kept = torch.zeros_like(scores)
        for label in range(scores.shape[1]):
            some = (scores[:, label] > 0).nonzero()[:, 0]
            kept[some[regions.nms(boxes[some, label], scores[some, label], self.iou_threshold)], label] = 1
        return scores * kept
