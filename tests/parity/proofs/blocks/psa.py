"""Polarized self-attention: the official code's two forms and the paper's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from proofs import slow
from proofs.blocks import BlockProof
from proofs.proof import GATES, Offer
from proofs.slow import State


def psa(x: Tensor, state: State, variant: str = "official_p") -> Tensor:
    def channel(positions: list[Tensor]) -> list[Tensor]:
        attention = slow.softmax([slow.linear(state, "channel_query", v)[0] for v in positions])
        context = slow.weighted(attention, [slow.linear(state, "channel_value", v) for v in positions])
        if variant == "official_p":
            up = slow.linear(state, "up", context)
        elif variant == "official_s":
            up = slow.linear(state, "up.3", slow.relu(slow.layer_norm(state, "up.1", slow.linear(state, "up.0", context))))
        else:
            up = slow.layer_norm(state, "up.1", slow.linear(state, "up.0", context))
        return [v * slow.sigmoid(up) for v in positions]

    def spatial(positions: list[Tensor]) -> list[Tensor]:
        query = slow.mean([slow.linear(state, "spatial_query", v) for v in positions])
        keys = [slow.linear(state, "spatial_value", v) for v in positions]
        if variant == "official_s":
            columns = torch.stack([torch.stack(slow.softmax(list(channel))) for channel in torch.stack(keys, dim=1)])
            logits = [(query * column).sum() for column in columns.T]
        else:
            if variant.startswith("paper"):
                query = torch.stack(slow.softmax(list(query)))
            logits = [(query * key).sum() for key in keys]
            logits = slow.softmax(logits) if variant == "official_p" else logits
        return [v * slow.sigmoid(a) for v, a in zip(positions, logits, strict=True)]

    if variant.endswith("_s"):
        return slow.mapped(lambda positions: spatial(channel(positions)), x)
    return slow.mapped(channel, x) + slow.mapped(spatial, x)


def parallel(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    return x * offers[0]["channel"] + x * offers[0]["map"]


def sequential(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    return x * offers[0]["channel"] * offers[0]["map"]


GATE = "a gate for each position"

PROOFS = {
    "psa-polarized-parallel": BlockProof(
        formula=psa,
        params=lambda d: 2 * d**2 + d,
        flops=lambda d, n: 4 * d * d + 6 * d * n,
        offers=GATES,
        not_one=GATE,
        rebuilt=parallel,
    ),
    "psa-polarized-sequential": BlockProof(
        formula=psa,
        params=lambda d: 1.6875 * d**2 + 2.375 * d,
        channels=64,  # its LayerNorm has d/8
        flops=lambda d, n: 2 * d * d + 3 * d * d // 8 + (d * d + 5 * d) * n,
        offers=GATES,
        not_one=GATE,
        rebuilt=sequential,
    ),
    "psa-polarized-parallel-paper": BlockProof(
        formula=psa,
        params=lambda d: 2 * d**2 + 3 * d,
        flops=lambda d, n: 4 * d * d + 6 * d * n,
        offers=GATES,
        not_one=GATE,
        rebuilt=parallel,
    ),
    "psa-polarized-sequential-paper": BlockProof(
        formula=psa,
        params=lambda d: 2 * d**2 + 3 * d,
        flops=lambda d, n: 4 * d * d + 6 * d * n,
        offers=GATES,
        not_one=GATE,
        rebuilt=sequential,
    ),
}
