"""SimPool."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof
from proofs.proof import UNARY, Offer
from proofs.slow import State


def simpool(x: Tensor, state: State, gamma: float | None = 2.0, min_scope: str = "image", beta: bool = False, eps: float = 1e-6) -> Tensor:
    d = x.shape[1]
    images = [slow.positions(image) for image in x]
    values = [[slow.layer_norm(state, "norm", t, 1e-6) for t in tokens] for tokens in images]
    lowest = min(v.min() for image in values for v in image)
    pooled = []
    for tokens, image in zip(images, values, strict=True):
        query = state["query.weight"] @ slow.mean(tokens)
        a = slow.softmax([query @ (state["key.weight"] @ v) / math.sqrt(d) for v in image])
        if gamma is None:
            pooled.append(slow.weighted(a, image))
            continue
        low = lowest if min_scope == "batch" else min(v.min() for v in image)
        z = slow.weighted(a, [(v - low + eps) ** gamma for v in image]) ** (1 / gamma)
        pooled.append(z + state["beta"] if beta else z)
    return torch.stack(pooled)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    values = m.norm(fast.tokens(x))
    values = values - values.amin((1, 2), keepdim=True) + m.eps
    return (offers[0]["map"].flatten(2) @ values**m.gamma)[:, 0] ** (1 / m.gamma)


PROOFS = {
    "simpool": PoolingProof(
        formula=simpool,
        params=lambda d: 2 * d * d + 2 * d,
        variants=({"gamma": 1.25, "beta": True}, {"gamma": None}, {"min_scope": "batch"}),
        flops=lambda d, n: 4 * d * d + 4 * d * n,
        offers=UNARY,
        rebuilt=rebuilt,
    )
}
