"""Log-sum-exp."""

from __future__ import annotations

import torch
from torch import Tensor

from proofs import slow
from proofs.pooling import PoolingProof
from proofs.slow import State


def lse(x: Tensor, state: State, r: float = 1.0, learnable: bool = False) -> Tensor:
    r = state.get("r", r)

    def pool(tokens: list[Tensor]) -> Tensor:
        top = torch.stack(tokens).max(0).values
        return top + torch.log(sum(torch.exp(r * (t - top)) for t in tokens) / len(tokens)) / r

    return slow.pooled(pool, x)


PROOFS = {
    "lse": PoolingProof(
        formula=lse,
        params=lambda d: 0,
        variants=({"r": 10.0, "learnable": True}, {"r": -2.0, "learnable": True}),
        flops=lambda d, n: 0,
        offers="another weighting for each channel",
    )
}
