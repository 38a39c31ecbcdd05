"""Generalised mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof
from proofs.proof import UNARY, Offer
from proofs.slow import State


def gem(x: Tensor, state: State, p: float = 3.0, learnable: bool = True, eps: float = 1e-6, flavour: str = "mmpretrain") -> Tensor:
    if flavour == "simpool":
        return slow.pooled(lambda tokens: sum(t**p for t in tokens) ** (1 / p), x)
    p = state["layer.p"]
    return slow.pooled(lambda tokens: (sum(torch.clamp(t, min=eps) ** p for t in tokens) / len(tokens)) ** (1 / p), x)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    return fast.pooled(x.clamp(min=m.eps) ** m.layer.p, offers)[:, 0] ** (1 / m.layer.p)


PROOFS = {
    "gem": PoolingProof(
        formula=gem,
        params=lambda d: 1,
        variants=({"p": 4.5}, {"eps": 0.5}, {"p": 2.0, "flavour": "simpool"}),
        flops=lambda d, n: 0,
        offers=UNARY,
        rebuilt=rebuilt,
    )
}
