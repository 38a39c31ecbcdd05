"""A class token that attends to the positions: ViT's and CaiT's."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.pooling import PoolingProof
from proofs.proof import H, Offer, W
from proofs.slow import State

OFFERS, KEPT = {"map": (4, H, W)}, "the class token keeps the rest"


def _attention(state: State, prefix: str, tokens: list[Tensor], heads: int) -> Tensor:
    query = slow.linear(state, f"{prefix}query", tokens[0]).chunk(heads)
    keys, values = ([slow.linear(state, f"{prefix}{name}", t).chunk(heads) for t in tokens] for name in ("key", "value"))
    out = []
    for h in range(heads):
        a = slow.softmax([query[h] @ key[h] / math.sqrt(len(query[h])) for key in keys])
        out.append(slow.weighted(a, [value[h] for value in values]))
    return torch.cat(out)


def vit_cls(x: Tensor, state: State, heads: int = 4) -> Tensor:
    return slow.pooled(lambda tokens: _attention(state, "attention.", [state["token"][0, 0], *tokens], heads), x)


def cait_class_attention(
    x: Tensor, state: State, blocks: int = 1, heads: int = 4, layer_scale: float = 1e-5, norm_eps: float = 1e-6
) -> Tensor:
    def pool(tokens: list[Tensor]) -> Tensor:
        token = state["token"][0, 0]
        for n in range(blocks):
            own = f"blocks.{n}."
            normed = [slow.layer_norm(state, f"{own}norm_attention", t, 1e-6) for t in (token, *tokens)]
            attended = _attention(state, f"{own}attention.", normed, heads)
            token = token + state[f"{own}scale_attention"] * slow.linear(state, f"{own}project", attended)
            hidden = slow.gelu(slow.linear(state, f"{own}mlp.0", slow.layer_norm(state, f"{own}norm_mlp", token, 1e-6)))
            token = token + state[f"{own}scale_mlp"] * slow.linear(state, f"{own}mlp.2", hidden)
        return slow.layer_norm(state, "norm", token, norm_eps)

    return slow.pooled(pool, x)


def _attended(m: Any, token: Tensor, values: Tensor, offers: list[Offer]) -> Tensor:
    """What the token attends to, (B, 1, C); its own weight is what the map leaves."""
    a = offers[0]["map"].flatten(2)
    means = a @ values + (1 - a.sum(-1, keepdim=True)) * token
    heads = [m.value(head).unflatten(1, (m.heads, -1))[:, i] for i, head in enumerate(means.unbind(1))]
    return torch.stack(heads, 1).flatten(1).unsqueeze(1)


def vit_rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    return _attended(m.attention, m.token, fast.tokens(x), offers)[:, 0]


def cait_rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    (block,) = m.blocks
    attended = _attended(block.attention, block.norm_attention(m.token), block.norm_attention(fast.tokens(x)), offers)
    token = m.token + block.scale_attention * block.project(attended)
    return m.norm(token + block.scale_mlp * block.mlp(block.norm_mlp(token)))[:, 0]


PROOFS = {
    # four heads
    "vit-cls": PoolingProof(
        formula=vit_cls,
        params=lambda d: 3 * d * d + 4 * d,
        variants=({"heads": 1},),
        flops=lambda d, n: 6 * d * d + 10 * d + 4 * 4 * d * n,
        offers=OFFERS,
        not_one=KEPT,
        rebuilt=vit_rebuilt,
    ),
    "cait-class-attention": PoolingProof(
        formula=cait_class_attention,
        params=lambda d: 12 * d * d + 18 * d,
        variants=({"blocks": 2, "heads": 8, "layer_scale": 0.5},),
        flops=lambda d, n: 24 * d * d + 10 * d + 4 * 4 * d * n,
        offers=OFFERS,
        not_one=KEPT,
        rebuilt=cait_rebuilt,
    ),
}
