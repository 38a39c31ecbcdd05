"""Object-contextual representations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from proofs import fast
from proofs.context import C, ContextProof, agree, build, head, image, in_our_head
from proofs.proof import N, Offer

CLASSES = 19


def in_our_head_it_is_mmsegs_head_given_the_same_coarse_logits() -> None:
    ours = in_our_head("ocrnet", num_convs=1, concat_input=False)
    ours.context = build("ocrnet", num_classes=3)

    def renamed(k: str) -> str:
        return k.replace("convs.0", "bottleneck").replace("context.attention", "object_context_block")

    state = {renamed(k): v for k, v in ours.state_dict().items()}
    theirs = head("OCRHead", ocr_channels=C // 2)
    theirs.load_state_dict({k: v for k, v in state.items() if not k.startswith("context.")})
    agree(lambda x: ours([x]), lambda x: theirs([x], ours.context.coarse(ours.convs[0](x))), image())


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    values = fast.tokens(m.attention.value_project(m.gather(x, m.coarse(x))))
    context = m.attention.out_project(fast.back(offers[0]["attention"][:, 0] @ values, x))
    return m.attention.bottleneck(torch.cat([context, x], 1))


def _params(c: int, m: int) -> int:
    coarse = c * c + 2 * c + CLASSES * c + CLASSES
    return coarse + 2 * (c * m + 2 * m + m * m + 2 * m) + c * m + 2 * m + m * c + 2 * c + 2 * c * c + 2 * c


PROOFS = {
    "ocrnet": ContextProof(
        equation=in_our_head_it_is_mmsegs_head_given_the_same_coarse_logits,
        params=_params,
        rows=(1, 24, CLASSES),
        flops=lambda d, n: CLASSES * 5 * d * d // 2 + (2 + 1.5 + 1 + 4) * d * d * n + CLASSES * 6 * d * n,
        offers={"attention": (1, N, CLASSES)},
        rebuilt=rebuilt,
    )
}
