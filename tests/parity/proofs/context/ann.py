"""Asymmetric non-local blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from proofs import fast
from proofs.context import NORM, C, ContextProof, agree, build, copied, image
from proofs.proof import D, N, Offer


def blocks_are_those_of_mmseg() -> None:
    from mmseg.models.decode_heads.ann_head import AFNB, APNB

    common = {"channels": 8, "out_channels": C, "query_scales": (1,), "key_pool_scales": (1, 2, 3), "conv_cfg": None, **NORM}
    ours = build("ann", low_channels=12)
    afnb = copied(AFNB(low_in_channels=12, high_in_channels=C, **common), ours.fusion)
    apnb = copied(APNB(in_channels=C, **common), ours.context)
    low = torch.randn(2, 12, 9, 7, dtype=torch.double)
    agree(lambda x, low: ours(x, low=low), lambda x, low: apnb(afnb(low, x)), image(), low)
    agree(ours.context, apnb, image())


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    (block,) = m.context.stages
    values = block.key_downsample(block.value_project(x)).mT
    return m.context.bottleneck(torch.cat([block.out_project(fast.back(offers[0]["attention"][:, 0] @ values, x)), x], 1))


PROOFS = {
    "ann": ContextProof(
        equation=blocks_are_those_of_mmseg,
        params=lambda c, m: c * m + 2 * m + c * m + m + m * c + c + 2 * c * c + 2 * c,
        small={"key_pool_scales": [1, 2, 3]},
        rows=(1, 24, 1 + 4 + 9),
        places="keys are means of cells of a grid",
        flops=lambda d, n: (7 * d * d + 110 * 2 * d) * n,
        offers={"attention": (1, N, 110), "q": (1, N, D // 2), "k": (1, 110, D // 2)},
        rebuilt=rebuilt,
    )
}
