"""Slot attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from proofs import slow
from proofs.pooling import PoolingProof, one_of
from proofs.proof import H, W
from proofs.slow import State


def _gru(state: State, z: Tensor, h: Tensor) -> Tensor:
    inner = (state["gru.weight_ih"] @ z + state["gru.bias_ih"]).chunk(3)
    outer = (state["gru.weight_hh"] @ h + state["gru.bias_hh"]).chunk(3)
    reset, gate = torch.sigmoid(inner[0] + outer[0]), torch.sigmoid(inner[1] + outer[1])
    return (1 - gate) * torch.tanh(inner[2] + reset * outer[2]) + gate * h


def slot_attention(
    x: Tensor, state: State, slots: int = 3, iterations: int = 3, flavour: str = "simpool", eps: float = 1e-8, reduce: str = "max"
) -> Tensor:
    sigma = state["sigma"][0, 0].exp() if flavour == "simpool" else state["sigma"][0, 0]
    d = x.shape[1]

    def pool(tokens: list[Tensor]) -> Tensor:
        normed = [slow.layer_norm(state, "norm_input", t) for t in tokens]
        keys, values = ([slow.linear(state, name, t) for t in normed] for name in ("key", "value"))
        current = [state["mu"][0, 0] + sigma * state["noise"][0, j] for j in range(slots)]
        for _ in range(iterations):
            queries = [slow.linear(state, "query", slow.layer_norm(state, "norm_slots", s)) for s in current]
            shares = [[a + eps for a in slow.softmax([q @ key / math.sqrt(d) for q in queries])] for key in keys]
            for j in range(slots):
                total = sum(share[j] for share in shares)
                mean = sum(share[j] / total * v for share, v in zip(shares, values, strict=True))
                slot = _gru(state, mean, current[j])
                hidden = torch.relu(slow.linear(state, "mlp.0", slow.layer_norm(state, "norm_mlp", slot)))
                current[j] = slot + slow.linear(state, "mlp.2", hidden)
        return one_of(current, reduce)

    return slow.pooled(pool, x)


PROOFS = {
    # three slots, three rounds
    "slot-attention": PoolingProof(
        formula=slot_attention,
        params=lambda d: 9 * d * d + 2 * d * max(d, 128) + max(d, 128) + 18 * d,
        variants=({"slots": 2, "iterations": 1, "reduce": "mean"}, {"flavour": "lucidrains-early"}),
        flops=lambda d, n: 3 * 3 * (18 * d * d + 4 * d * max(d, 128)) + 3 * 4 * 3 * d * n,
        offers={"map": (3, H, W)},
        rebuilt="test_pooling: the map is that of the last of several rounds",
    )
}
