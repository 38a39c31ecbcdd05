"""Losses of self-distillation: DINO's over views, iBOT's over masked tokens, and what keeps the teacher from collapsing.

Sources: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021; Zhou et al., "iBOT", ICLR 2022, in the
form of ``main_ibot.py`` of bytedance/ibot; Sinkhorn-Knopp as in Caron et al., "SwAV", NeurIPS 2020.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """-sum_k p_k log softmax(z)_k of teacher probabilities p (..., K) and student logits z (..., K); (...)."""
    return -(teacher * F.log_softmax(student, dim=-1)).sum(dim=-1)


def view_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """DINO's loss: each of the teacher's views predicted from every other view, mean over pairs of views and over images.

    Args:
        teacher: (G, B, K) probabilities of the G global views.
        student: (V, B, K) logits, already divided by the temperature, of all V >= G views, the global ones first in the same order.
    """
    pairs = [cross_entropy(teacher[q], student[v]).mean() for q in range(len(teacher)) for v in range(len(student)) if v != q]
    return torch.stack(pairs).mean()


def patch_loss(teacher: Tensor, student: Tensor, mask: Tensor) -> Tensor:
    """iBOT's loss: masked tokens predicted as the teacher sees them in the same view; mean over an image's masked tokens, then over images.

    An image without masked tokens counts with a loss of zero, as in the authors' code.

    Args:
        teacher: (B, N, K) probabilities.
        student: (B, N, K) logits, already divided by the temperature.
        mask: (B, N) bool.
    """
    masked = (cross_entropy(teacher, student) * mask).sum(dim=1)
    return (masked / mask.sum(dim=1).clamp(min=1)).mean()


class Centre(nn.Module):
    """Teacher logits to probabilities by centring and sharpening: softmax((z - c) / T), c a moving average of the batches' means."""

    value: Tensor

    def __init__(self, prototypes: int, momentum: float = 0.9):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value", torch.zeros(prototypes))

    @torch.no_grad()
    def forward(self, logits: Tensor, temperature: float) -> Tensor:
        """(..., K) logits to probabilities; the centre moves afterwards when in training."""
        found = ((logits - self.value) / temperature).softmax(dim=-1)
        if self.training:
            batch = logits.flatten(0, -2).mean(dim=0)
            self.value.copy_(self.value * self.momentum + batch * (1 - self.momentum))
        return found


class Sinkhorn(nn.Module):
    """Teacher logits to probabilities that use all prototypes alike over a batch, by Sinkhorn and Knopp's normalization in turn."""

    def __init__(self, iterations: int = 3):
        super().__init__()
        self.iterations = iterations

    @torch.no_grad()
    def forward(self, logits: Tensor, temperature: float) -> Tensor:
        """(..., K) logits to probabilities; all leading dimensions are the batch."""
        log = logits.flatten(0, -2) / temperature
        for _ in range(self.iterations):
            log = log - log.logsumexp(dim=0, keepdim=True)
            log = log - log.logsumexp(dim=1, keepdim=True)
        return log.exp().view_as(logits)


class Information:
    """How much outputs tell of the image they are about: H(mean p) - mean H(p), in nats, from 0 to log K, over batches.

    It is 0 in both ways of collapsing that DINO's authors describe (section 5.3): one prototype for all images, or all alike in each.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sum: Tensor | None = None
        self._entropy = 0.0

    def add(self, probabilities: Tensor) -> None:
        """Count the (N, K) distributions of more images."""
        found = probabilities.detach().double()
        total = found.sum(dim=0)
        self._sum = total if self._sum is None else self._sum + total
        self._entropy += float(torch.special.entr(found).sum())
        self.count += len(found)

    @property
    def most(self) -> float:
        """log K."""
        assert self._sum is not None
        return math.log(len(self._sum))

    @property
    def entropy(self) -> float:
        """Mean H(p)."""
        return self._entropy / self.count

    @property
    def value(self) -> float:
        """H(mean p) - mean H(p)."""
        assert self._sum is not None
        return float(torch.special.entr(self._sum / self.count).sum()) - self.entropy
