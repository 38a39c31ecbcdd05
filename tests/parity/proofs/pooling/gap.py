"""Average and maximum."""

from __future__ import annotations

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof
from proofs.proof import UNARY
from proofs.slow import State


def gap(x: Tensor, state: State) -> Tensor:
    return slow.pooled(slow.mean, x)


def max_pool(x: Tensor, state: State) -> Tensor:
    return slow.pooled(lambda tokens: torch.stack([max(channel) for channel in zip(*tokens, strict=True)]), x)


PROOFS = {
    "gap": PoolingProof(
        formula=gap, params=lambda d: 0, flops=lambda d, n: 0, offers=UNARY, rebuilt=lambda m, x, offers: fast.pooled(x, offers)[:, 0]
    ),
    "max-pool": PoolingProof(
        formula=max_pool, params=lambda d: 0, flops=lambda d, n: 0, offers="one position for each channel, another for the next"
    ),
}
