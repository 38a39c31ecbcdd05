"""Squeeze and excitation."""

from __future__ import annotations

from torch import Tensor

from proofs import slow
from proofs.blocks import BlockProof
from proofs.proof import D
from proofs.slow import State


def se(x: Tensor, state: State, ratio: int = 16, divisor: int = 1, residual: bool = False) -> Tensor:
    def block(positions: list[Tensor]) -> list[Tensor]:
        gate = slow.sigmoid(slow.linear(state, "conv2.conv", slow.relu(slow.linear(state, "conv1.conv", slow.mean(positions)))))
        return [slow.relu(v + v * gate) if residual else v * gate for v in positions]

    return slow.mapped(block, x)


PROOFS = {
    # d / 16 is the bottleneck
    "se": BlockProof(
        formula=se,
        params=lambda d: 2 * d**2 / 16 + d / 16 + d,
        variants=({"residual": True}, {"ratio": 4, "divisor": 8}),
        flops=lambda d, n: 4 * d * (d // 16),
        offers={"channel": (D, 1, 1)},
        rebuilt=lambda m, x, offers: x * offers[0]["channel"],
    )
}
