"""HOW: smoothed, projected tokens, weighted by their lengths."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof
from proofs.proof import UNARY, Offer
from proofs.slow import State


def how(x: Tensor, state: State, squared: bool = False, normalize: bool = True, eps: float = 1e-6) -> Tensor:
    height, width = x.shape[2:]
    pooled = []
    for image in x:
        z = 0
        for i in range(height):
            for j in range(width):
                window = [image[:, a, b] for a in range(i - 1, i + 2) for b in range(j - 1, j + 2) if 0 <= a < height and 0 <= b < width]
                length = (image[:, i, j] ** 2).sum()
                length = length if squared else torch.sqrt(length + 1e-10)
                z = z + length * slow.linear(state, "project", slow.mean(window))
        pooled.append(z / (torch.sqrt((z**2).sum()) + eps) if normalize else z)
    return torch.stack(pooled)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    values = m.project(fast.tokens(F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)))
    return F.normalize((offers[0]["map"].flatten(2) @ values)[:, 0], eps=1e-5)


PROOFS = {
    "how": PoolingProof(
        formula=how,
        params=lambda d: d * d + d,
        variants=({"squared": True}, {"normalize": False}),
        places="values are smoothed over neighbours",
        flops=lambda d, n: 2 * d * d + 2 * d * n,
        offers=UNARY,
        not_one="lengths of the tokens",
        rebuilt=rebuilt,
    )
}
