"""Expectation-maximisation attention."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proofs.context import C, ContextProof, agree, head, image, in_our_head
from proofs.proof import N, Offer


def in_our_head_it_is_mmsegs_head_bases_included() -> None:
    ours = in_our_head("emanet")
    names = {"convs.0": "ema_in_conv", "convs.1": "bottleneck", "context.": ""}
    state = ours.state_dict()
    for old, new in names.items():
        state = {k.replace(old, new) if k.startswith(old) else k: v for k, v in state.items()}
    theirs = head("EMAHead", ema_channels=C, num_bases=64, num_stages=3)
    theirs.load_state_dict(state)
    agree(lambda x: ours([x]), lambda x: theirs([x]), image())
    ours.train(), theirs.train()
    ours([image()]), theirs([image()])
    torch.testing.assert_close(ours.context.ema_module.bases, theirs.ema_module.bases)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    z, mid = offers[0]["attention"][:, 0], m.ema_mid_conv(x)
    bases = F.normalize(mid.flatten(2) @ (z / z.sum(1, keepdim=True)), dim=1)
    return F.relu(x + m.ema_out_conv(F.relu((bases @ z.mT).unflatten(2, x.shape[2:]))))


PROOFS = {
    # 64 bases, three rounds
    "emanet": ContextProof(
        equation=in_our_head_it_is_mmsegs_head_bases_included,
        params=lambda c, m: c * c + c + c * c + 2 * c,
        rows=(1, 24, 64),
        flops=lambda d, n: (4 * d * d + (3 * 2 + 1) * 2 * 64 * d) * n,
        offers={"attention": (1, N, 64)},
        rebuilt=rebuilt,
        no_gradients="its iterations run without gradients, in the authors' code as in mmseg, whose head its equation is compared with",
    )
}
