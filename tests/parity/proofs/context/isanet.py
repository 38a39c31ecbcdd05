"""Interlaced sparse self-attention."""

from __future__ import annotations

from proofs.context import C, ContextProof, agree, head, image, in_our_head
from proofs.proof import N


def in_our_head_it_is_mmsegs_head() -> None:
    ours = in_our_head("isanet", num_convs=1, concat_input=False)
    state = {k.replace("convs.0", "in_conv").removeprefix("context."): v for k, v in ours.state_dict().items()}
    theirs = head("ISAHead", isa_channels=C // 2, down_factor=(2, 3))
    theirs.load_state_dict(state)
    agree(lambda x: ours([x]), lambda x: theirs([x]), image(5, 7))


PROOFS = {
    "isanet": ContextProof(
        equation=in_our_head_it_is_mmsegs_head,
        params=lambda c, m: 2 * (2 * (c * m + 2 * m + m * m + 2 * m) + c * c + c + c * c + 2 * c) + 2 * c * c + 2 * c,
        small={"down_factor": [2, 3]},
        places="groups of the grid",
        flops=lambda d, n: (2 * 7 + 4) * d * d * n + 3 * d * n * (64 + n // 64),
        offers={"attention": (1, N, N)},
        rebuilt="test_context.test_interlaced_map_follows_the_groups: its map is a product of two",
    )
}
