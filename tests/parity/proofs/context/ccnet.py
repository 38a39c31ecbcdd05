"""Criss-cross attention."""

from __future__ import annotations

from math import isqrt
from typing import Any

from torch import Tensor

from proofs import fast
from proofs.context import ContextProof, agree, head, image, in_our_head
from proofs.proof import N, Offer


def in_our_head_it_is_mmsegs_head() -> None:
    ours = in_our_head("ccnet")
    theirs = head("CCHead")
    theirs.load_state_dict({k.replace("context.cca", "cca"): v for k, v in ours.state_dict().items()})
    agree(lambda x: ours([x]), lambda x: theirs([x]), image())


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    for offer in offers:
        x = x + m.cca.gamma(fast.back(offer["attention"][:, 0] @ fast.tokens(m.cca.value_conv(x)), x))
    return x


PROOFS = {
    "ccnet": ContextProof(
        equation=in_our_head_it_is_mmsegs_head,
        params=lambda c, m: 2 * (c * (c // 8) + c // 8) + c * c + c + 1,
        places="rows and columns",
        flops=lambda d, n: 2 * (d * d // 2 + 2 * d * d + 2 * isqrt(n) * (d // 4 + 2 * d)) * n,
        offers={"attention": (1, N, N)},
        times=2,
        largest=1.5,  # a position meets its row and its column
        rebuilt=rebuilt,
    )
}
