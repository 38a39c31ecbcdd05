"""The non-local block in its four forms."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from proofs import fast, slow
from proofs.blocks import BlockProof, non_local_params, same
from proofs.proof import PAIRS, D, N, Offer
from proofs.slow import State

POOLED = ({"sub_sample": "input"}, {"sub_sample": "projections"})


def max_pooled(positions: list[Tensor], height: int, width: int) -> list[Tensor]:
    """The largest of every 2 x 2 positions, per channel; an odd last row or column is left out."""
    corners = [(i, j) for i in range(0, height - 1, 2) for j in range(0, width - 1, 2)]
    return [torch.stack([positions[(i + a) * width + j + b] for a in (0, 1) for b in (0, 1)]).amax(0) for i, j in corners]


def non_local(
    x: Tensor,
    state: State,
    mode: str = "embedded-gaussian",
    reduction: int = 2,
    use_scale: bool = False,
    norm: bool = False,
    sub_sample: str | None = None,
) -> Tensor:
    def pooled(positions: list[Tensor], when: str) -> list[Tensor]:
        return max_pooled(positions, *x.shape[2:]) if sub_sample == when else positions

    def weights(i: int, positions: list[Tensor], theta: list[Tensor], phi: list[Tensor]) -> list[Tensor]:
        count = len(phi)
        if mode == "gaussian":
            return slow.softmax([(positions[i] * v).sum() for v in phi])
        if mode == "embedded-gaussian":
            scale = 1 / math.sqrt(len(theta[i])) if use_scale else 1
            return slow.softmax([(theta[i] * k).sum() * scale for k in phi])
        if mode == "dot-product":
            return [(theta[i] * k).sum() / count for k in phi]
        w = state["concat_project.conv.weight"].flatten()
        return [slow.relu((w * torch.cat([theta[i], k])).sum()) / count for k in phi]

    def block(positions: list[Tensor]) -> list[Tensor]:
        keys = pooled(positions, "input")
        theta = [] if mode == "gaussian" else [slow.linear(state, "theta.conv", v) for v in positions]
        phi = pooled(keys if mode == "gaussian" else [slow.linear(state, "phi.conv", v) for v in keys], "projections")
        g = pooled([slow.linear(state, "g.conv", v) for v in keys], "projections")
        out = []
        for i, v in enumerate(positions):
            z = slow.linear(state, "conv_out.conv", slow.weighted(weights(i, positions, theta, phi), g))
            out.append(v + (slow.batch_norm(state, "conv_out.bn", z) if norm else z))
        return out

    return slow.mapped(block, x)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    return x + m.conv_out(fast.back(fast.rows(offers[0]) @ fast.tokens(m.g(x)), x))


PROOFS = {
    "non-local-embedded-gaussian": BlockProof(
        formula=non_local,
        params=non_local_params,
        starts_as=same,
        variants=({"use_scale": True}, {"norm": True}, {"reduction": 4}, *POOLED),
        flops=lambda d, n: 4 * d * d * n + 2 * d * n * n,
        offers=PAIRS,
        rebuilt=rebuilt,
    ),
    "non-local-gaussian": BlockProof(
        formula=non_local,
        params=lambda d: d**2 + 1.5 * d,
        starts_as=same,
        variants=POOLED,
        flops=lambda d, n: 2 * d * d * n + 3 * d * n * n,
        offers={"attention": (1, N, N), "q": (1, N, D), "k": (1, N, D)},
        rebuilt=rebuilt,
    ),
    "non-local-dot-product": BlockProof(
        formula=non_local,
        params=non_local_params,
        starts_as=same,
        variants=POOLED,
        flops=lambda d, n: 4 * d * d * n + d * d * n,
        offers={"attention": (1, N, N)},
        not_one="products over N, of either sign",
        rebuilt=rebuilt,
    ),
    "non-local-concatenation": BlockProof(
        formula=non_local,
        params=lambda d: 2 * d**2 + 3.5 * d,
        starts_as=same,
        variants=POOLED,
        flops=lambda d, n: 2 * d * d + (2 * d * d + 4 * d) * n,
        offers={"attention": (1, N, N)},
        not_one="rectified sums over N",
        rebuilt=rebuilt,
    ),
}
