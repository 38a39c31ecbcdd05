"""How a loss of the attention is compared with its equation."""

from __future__ import annotations

import torch

from harness.slots import AttentionState

LAYERS, B, HEADS, N, WIDTH = 3, 2, 4, 5, 8


def states() -> list[AttentionState]:
    """Queries and keys of several layers, with gradients."""
    torch.manual_seed(0)
    shape = (B, HEADS, N, WIDTH)
    return [AttentionState(torch.randn(shape).requires_grad_(), torch.randn(shape).requires_grad_()) for _ in range(LAYERS)]
