"""Disentangled non-local blocks, and the terms of their ablation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.blocks import BlockProof, non_local_params, same
from proofs.proof import PAIRS, UNARY, Offer
from proofs.slow import State

FLAVOURS = tuple({"flavour": flavour} for flavour in ("seg-bn", "seg-nowd", "det"))


def dnl(
    x: Tensor,
    state: State,
    terms: str = "add-disentangled-key",
    flavour: str = "mmseg",
    reduction: int | None = None,
    temperature: float | None = None,
    normalisation: str = "separate",
    norm: bool = False,
) -> Tensor:
    bottleneck = flavour == "mmseg"

    def added(y: Tensor) -> Tensor:
        z = slow.linear(state, "out", y)
        return slow.batch_norm(state, "norm", z) if norm else z

    def block(positions: list[Tensor]) -> list[Tensor]:
        g = [slow.linear(state, "g", v) for v in positions]
        if terms == "unary-disentangled":
            y = slow.weighted(slow.softmax([slow.linear(state, "mask", v)[0] for v in positions]), g)
            return [v + (added(y) if bottleneck else y) for v in positions]
        q, k = ([slow.linear(state, name, v) for v in positions] for name in ("theta", "phi"))
        width = len(q[0])
        factor = 1.0 if flavour == "seg-nowd" else width**-0.5
        # temperatures and the bare unary product: nonlocal_block.py and its NL_fcn and NLunary_fcn settings for Cityscapes
        hot = 1.0 if terms == "joint" or flavour == "seg-nowd" else 0.06 if terms == "add-shared-key" else 0.05
        pair_scale = factor / (temperature or hot)
        mu_q, mu_k = slow.mean(q), slow.mean(k)
        if flavour == "seg-nowd":
            white_q, white_k = [v - mu_q.mean() for v in q], [v - mu_k.mean() for v in k]
        else:
            white_q, white_k = [v - mu_q for v in q], [v - mu_k for v in k]
        if terms == "joint":
            white_q, white_k = q, k
        own_key = terms == "add-disentangled-key"
        unary = [slow.linear(state, "mask", v)[0] for v in positions] if own_key else [(mu_q * key).sum() for key in k]
        out = []
        for i, v in enumerate(positions):
            pair = [(white_q[i] * key).sum() * pair_scale for key in white_k]
            if normalisation == "joint":
                both = slow.softmax(pair + unary)
                y_pair, y_unary = slow.weighted(both, g + g), torch.zeros_like(g[0])
            else:
                y_pair = slow.weighted(slow.softmax(pair), g) if terms != "unary-only" else torch.zeros_like(g[0])
                y_unary = slow.weighted(slow.softmax(unary), g) if terms.startswith(("unary", "add")) else torch.zeros_like(g[0])
            out.append(v + (added(y_pair + y_unary) if bottleneck else state.get("gain", 0) * y_pair + y_unary))
        return out

    return slow.mapped(block, x)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    y = fast.rows(offers[0]) @ fast.tokens(m.g(x))
    return x + m.out(fast.back(y.expand(-1, x[0, 0].numel(), -1), x))


# the means of queries and keys are projected once an image: 2d²; what a unary term adds, d² more
PROOFS = {
    "self-attention-joint": BlockProof(
        formula=dnl,
        params=non_local_params,
        starts_as=same,
        variants=FLAVOURS,
        flops=lambda d, n: 2 * d * d + 4 * d * d * n + 2 * d * n * n,
        offers=PAIRS,
        rebuilt=rebuilt,
    ),
    "dnl-pairwise-only": BlockProof(
        formula=dnl,
        params=non_local_params,
        starts_as=same,
        variants=({"temperature": 1.0}, *FLAVOURS),
        flops=lambda d, n: 2 * d * d + 4 * d * d * n + 2 * d * n * n,
        offers=PAIRS,
        rebuilt=rebuilt,
    ),
    "dnl-unary-only": BlockProof(
        formula=dnl,
        params=non_local_params,
        starts_as=same,
        variants=({"norm": True}, {"terms": "unary-disentangled"}, {"terms": "unary-disentangled", "norm": True}, *FLAVOURS),
        flops=lambda d, n: 5 * d * d + 4 * d * n,
        offers=UNARY,
        rebuilt=rebuilt,
    ),
    "dnl-add-shared-key": BlockProof(
        formula=dnl,
        params=non_local_params,
        starts_as=same,
        variants=({"normalisation": "joint"}, *FLAVOURS),
        flops=lambda d, n: 3 * d * d + (4 * d * d + 2 * d) * n + 2 * d * n * n,
        offers=PAIRS | UNARY,
        rebuilt=rebuilt,
    ),
    "dnl-add-disentangled-key": BlockProof(
        formula=dnl,
        params=lambda d: non_local_params(d) + d + 1,
        starts_as=same,
        variants=({"normalisation": "joint"}, {"norm": True}, {"reduction": 4}, *FLAVOURS),
        flops=lambda d, n: 3 * d * d + (4 * d * d + 3 * d) * n + 2 * d * n * n,
        offers=PAIRS | UNARY,
        rebuilt=rebuilt,
    ),
}
