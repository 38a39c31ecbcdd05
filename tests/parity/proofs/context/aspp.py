"""Atrous spatial pyramid pooling."""

from __future__ import annotations

from proofs.context import ContextProof, agree, build, head, image


def feature_is_that_of_mmsegs_head() -> None:
    ours = build("aspp-deeplabv3")
    theirs = head("ASPPHead", dilations=(1, 2, 3))
    theirs.load_state_dict(ours.state_dict(), strict=False)
    agree(ours, lambda x: theirs._forward_feature([x]), image())


PROOFS = {
    "aspp-deeplabv3": ContextProof(
        equation=feature_is_that_of_mmsegs_head,
        params=lambda c, m: 2 * (c * c + 2 * c) + 3 * (9 * c * c + 2 * c) + 45 * c * c + 2 * c,
        small={"dilations": [1, 2, 3]},
        places="convolutions",
        flops=lambda d, n: 2 * d * d + (2 + 3 * 18 + 18 * 5) * d * d * n,
        offers="convolutions",
    )
}
