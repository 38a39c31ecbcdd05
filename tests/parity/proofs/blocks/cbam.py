"""CBAM."""

from __future__ import annotations

import torch
from torch import Tensor

from proofs import slow
from proofs.blocks import BlockProof
from proofs.proof import GATES
from proofs.slow import State


def cbam(x: Tensor, state: State, ratio: int = 16, bias: bool = True, kernel_size: int = 7) -> Tensor:
    def mlp(v: Tensor) -> Tensor:
        return slow.linear(state, "mlp.2", slow.relu(slow.linear(state, "mlp.0", v)))

    def channel(positions: list[Tensor]) -> list[Tensor]:
        top = torch.stack(positions).max(0).values
        gate = slow.sigmoid(mlp(slow.mean(positions)) + mlp(top))
        return [v * gate for v in positions]

    u = slow.mapped(channel, x)
    images = []
    for image in u:
        pair = torch.stack([image.max(0).values, image.sum(0) / len(image)])
        images.append(slow.correlate(pair, state["conv.weight"][0]))
    gate = torch.stack(images)[:, None]
    return u * slow.sigmoid(slow.batch_norm(state, "norm", gate))


PROOFS = {
    # d / 16 is the bottleneck; a 7x7 convolution of two maps
    "cbam": BlockProof(
        formula=cbam,
        params=lambda d: 2 * d**2 / 16 + d / 16 + d + 98 + 2,
        variants=({"bias": False, "kernel_size": 3, "ratio": 4},),
        places="a convolution",
        flops=lambda d, n: 2 * 4 * d * (d // 16) + 2 * 98 * n,
        offers=GATES,
        not_one="a gate for each position",
        rebuilt=lambda m, x, offers: x * offers[0]["channel"] * offers[0]["map"],
    )
}
