"""Blocks whose context is the same for every query: the simplified non-local block and GCNet's."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from proofs import slow
from proofs.blocks import BlockProof, same
from proofs.proof import UNARY, Offer
from proofs.slow import State


def _context(state: State, positions: list[Tensor]) -> Tensor:
    return slow.weighted(slow.softmax([slow.linear(state, "conv_mask", v)[0] for v in positions]), positions)


def gc_block(x: Tensor, state: State, ratio: float = 1 / 16, fusion: str = "add") -> Tensor:
    def block(positions: list[Tensor]) -> list[Tensor]:
        branch = f"channel_{fusion}_conv"
        hidden = slow.layer_norm(state, f"{branch}.1", slow.linear(state, f"{branch}.0", _context(state, positions)))
        change = slow.linear(state, f"{branch}.3", slow.relu(hidden))
        return [v + change if fusion == "add" else v * slow.sigmoid(change) for v in positions]

    return slow.mapped(block, x)


def simplified_non_local(x: Tensor, state: State) -> Tensor:
    def block(positions: list[Tensor]) -> list[Tensor]:
        change = slow.linear(state, "channel_add_conv", _context(state, positions))
        return [v + change for v in positions]

    return slow.mapped(block, x)


def rebuilt(m: Any, x: Tensor, offers: list[Offer]) -> Tensor:
    context = (offers[0]["map"] * x).sum((2, 3), keepdim=True)
    return x + m.channel_add_conv(context) if m.channel_add_conv is not None else x * m.channel_mul_conv(context).sigmoid()


def _params(d: int) -> float:
    return 2 * d**2 / 16 + 3 * d / 16 + 2 * d + 1


def _flops(d: int, n: int) -> int:
    return 4 * d * (d // 16) + 4 * d * n


PROOFS = {
    "simplified-non-local": BlockProof(
        formula=simplified_non_local,
        params=lambda d: d**2 + 2 * d + 1,
        starts_near=0.3,
        flops=lambda d, n: 2 * d * d + 4 * d * n,
        offers=UNARY,
        rebuilt=rebuilt,
    ),
    # d / 16 is the bottleneck
    "gc-block": BlockProof(
        formula=gc_block, params=_params, starts_as=same, variants=({"ratio": 0.25},), flops=_flops, offers=UNARY, rebuilt=rebuilt
    ),
    "gc-block-mul": BlockProof(formula=gc_block, params=_params, starts_as=lambda x: x / 2, flops=_flops, offers=UNARY, rebuilt=rebuilt),
}
