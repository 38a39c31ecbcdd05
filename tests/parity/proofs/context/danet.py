"""Dual attention."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from proofs import fast
from proofs.context import C, ContextProof, agree, build, copied, image
from proofs.proof import N, Offer


def modules_are_those_of_mmseg() -> None:
    from mmseg.models.decode_heads.da_head import CAM, PAM

    ours = build("danet", pam_channels=4)
    pam, cam = copied(PAM(C, 4), ours.pam), copied(CAM(), ours.cam)
    agree(ours, lambda x: pam(x) + cam(x), image())


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    attended = fast.back(offers[0]["attention"][:, 0] @ fast.tokens(m.pam.value_project(x)), x)
    return x + m.pam.gamma(attended) + m.cam(x)


PROOFS = {
    "danet": ContextProof(
        equation=modules_are_those_of_mmseg,
        params=lambda c, m: 2 * (c * (c // 8) + c // 8) + c * c + c + 2,
        flops=lambda d, n: (d * d // 2 + 2 * d * d + 4 * d * d) * n + (2 * (d // 8) + 2 * d) * n * n,
        offers={"attention": (1, N, N)},
        rebuilt=rebuilt,
    )
}
