"""Cross-entropy averaged over the pixels that are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F


@MODELS.register_module()
class KeptCrossEntropy(nn.Module):
    """Cross-entropy as PyTorch averages it, over the pixels that have a class, weighted by it; of hard pixels the plain mean over these.

    mmseg's loss averages over all pixels, ignored and easy ones included, and with weights of classes it looks up that of the ignored
    label, which there is none of.

    Source: ``CELoss`` and ``OhemCELoss`` of yinmh17/DNL-Semantic-Segmentation.

    Args:
        loss_weight: times the loss.
        class_weight: of each class; all alike by default.
    """

    loss_name = "loss_ce"
    class_weight: Tensor | None

    def __init__(self, loss_weight: float = 1.0, class_weight: Sequence[float] = ()):
        super().__init__()
        self.loss_weight = loss_weight
        self.register_buffer("class_weight", torch.tensor(class_weight) if class_weight else None, persistent=False)

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor | None = None, ignore_index: int = 255, **_: Any) -> Tensor:
        """Logits (B, C, H, W) and labels (B, H, W) -> a number; ``weight`` (B, H, W) is 1 for a pixel that is trained on, else 0."""
        kept = (label != ignore_index) if weight is None else weight > 0
        if not kept.any():
            return logits.sum() * 0
        reduction = "mean" if weight is None else "none"
        loss = F.cross_entropy(logits, label, self.class_weight, ignore_index=ignore_index, reduction=reduction)
        return self.loss_weight * (loss if weight is None else loss[kept].mean())
