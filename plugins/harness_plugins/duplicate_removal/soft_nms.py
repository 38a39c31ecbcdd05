"""Soft non-maximum suppression: scores decay with the overlap, none is removed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("soft-nms", slot="duplicate_removal")
class SoftNMS(nn.Module):
    """Soft-NMS: a detection lowers the scores of those that overlap it, and removes none.

    Within each class the best detection is taken, the others' scores are multiplied by f of their overlap with it, and so on with
    what is left. A detection that is not among the ``first`` taken of its class keeps the score it then has, which is no larger
    than that of any taken: a detector that keeps as many in an image reports the same.

    Formula:
        s_n ← s_n f(IoU(b_m, b_n)) for all n not yet taken, m the best of them;  f(o) = exp(-o²/σ)  or  1 - o where o > t

    Shapes:
        Features of R regions (R, C), boxes (R, K, 4) and scores (R, K) of K classes → scores (R, K).

    Parameters:
        None.

    Map:
        None: no attention.

    Source:
        Bodla, Singh, Chellappa, Davis, ICCV 2017, equations 2 and 3 and figure 2. σ = 0.6 in
        msracver/Relation-Networks-for-Object-Detection.

    Args:
        channels: of the features, which count for nothing.
        decay: ``gaussian`` or ``linear``.
        sigma: σ.
        threshold: t.
        first: how many of each class are taken; the detections of an image, 100, suffice.
    """

    def __init__(self, channels: int, decay: str = "gaussian", sigma: float = 0.5, threshold: float = 0.3, first: int = 100) -> None:
        super().__init__()
        if decay not in ("gaussian", "linear"):
            raise ValueError(f"decay is '{decay}'; it must be gaussian or linear")
        if sigma <= 0:
            raise ValueError(f"sigma is {sigma}; it must be larger than 0")
        self.gaussian, self.sigma, self.threshold, self.first = decay == "gaussian", sigma, threshold, first

    def forward(self, features: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
        """(R, C), (R, K, 4), (R, K) -> (R, K)."""
        boxes, classes = boxes.transpose(0, 1), torch.arange(scores.shape[1], device=scores.device)
        scores, waiting = scores.T.clone(), torch.ones_like(scores.T, dtype=torch.bool)
        for _ in range(min(self.first, scores.shape[1])):
            best = scores.masked_fill(~waiting, -1).argmax(1)
            waiting = waiting.scatter(1, best[:, None], False)
            overlap = overlaps(boxes[classes, best, None], boxes)
            decay = (-overlap.square() / self.sigma).exp() if self.gaussian else 1 - overlap * (overlap > self.threshold)
            scores = torch.where(waiting, scores * decay, scores)
        return scores.T


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) x0, y0, x1, y1, 0 where both are empty; (...), by the rules of broadcasting."""
    area = (one[..., 2:] - one[..., :2]).clamp_min(0).prod(-1) + (other[..., 2:] - other[..., :2]).clamp_min(0).prod(-1)
    shared = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp_min(0).prod(-1)
    union = area - shared
    return shared / union.clamp_min(torch.finfo(union.dtype).tiny)
