"""Object context."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from proofs import fast
from proofs.context import C, ContextProof, agree, build, image, unbatched
from proofs.proof import PAIRS, Offer


def equals_the_equation() -> None:
    ours = build("ocnet")
    block = ours.attention

    def equation(x: Tensor) -> Tensor:
        k, v = block.key_project(x).flatten(2)[0], block.value_project(x).flatten(2)[0]
        context = []
        for i in range(k.shape[1]):
            logits = [k[:, i] @ k[:, j] / math.sqrt(C // 2) for j in range(k.shape[1])]
            powers = [torch.exp(logit) for logit in logits]
            context.append(sum(p * v[:, j] for j, p in enumerate(powers)) / sum(powers))
        context = block.out_project(torch.stack(context, 1).view(1, -1, *x.shape[2:]))
        return ours.join(torch.cat([context, x], 1))

    agree(ours, unbatched(equation), image())


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    context = fast.back(offers[0]["attention"][:, 0] @ fast.tokens(m.attention.value_project(x)), x)
    return m.join(torch.cat([m.attention.out_project(context), x], 1))


PROOFS = {
    "ocnet": ContextProof(
        equation=equals_the_equation,
        params=lambda c, m: c * m + 2 * m + c * m + m + m * c + c + 2 * c * c + 2 * c,
        flops=lambda d, n: 7 * d * d * n + 2 * d * n * n,
        offers=PAIRS,
        rebuilt=rebuilt,
    )
}
