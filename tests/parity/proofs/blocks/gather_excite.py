"""Gather and excite."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from proofs import slow
from proofs.blocks import BlockProof
from proofs.proof import D, H, W
from proofs.slow import State


def gather_excite(
    x: Tensor,
    state: State,
    extent: int = 2,
    gather: str = "conv",
    mlp: bool = True,
    ratio: int = 16,
    residual: bool = False,
    size: list[int] | None = None,
) -> Tensor:
    images = []
    for image in x:
        height, width = image.shape[1:]
        gate = _gather(image, state, extent, gather)
        if mlp:
            hidden = torch.stack([slow.relu(slow.linear(state, "mlp.0", v)) for v in gate.flatten(1).T])
            gate = torch.stack([slow.linear(state, "mlp.2", v) for v in hidden], dim=1).reshape(gate.shape)
        gate = slow.sigmoid(gate)
        rows = [[gate[:, i * gate.shape[1] // height, j * gate.shape[2] // width] for j in range(width)] for i in range(height)]
        y = image * torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
        images.append(slow.relu(image + y) if residual else y)
    return torch.stack(images)


def _gather(image: Tensor, state: State, extent: int, gather: str) -> Tensor:
    if gather == "conv" and extent == 0:
        whole = (image * state["gather.0.weight"][:, 0]).flatten(1).sum(1)
        return slow.batch_norm(state, "gather.1", whole)[:, None, None]
    if gather == "conv":
        for step in range(int(math.log2(extent))):
            layer = 3 * step  # ReLU, convolution, norm; no ReLU before the first
            image = slow.relu(image) if step else image
            kernels = state[f"gather.{layer}.weight"][:, 0]
            full = torch.stack([slow.correlate(plane[None], kernel[None]) for plane, kernel in zip(image, kernels, strict=True)])
            normed = [slow.batch_norm(state, f"gather.{layer + 1}", v) for v in full[:, ::2, ::2].flatten(1).T]
            image = torch.stack(normed, dim=1).reshape(len(image), *full[:, ::2, ::2].shape[1:])
        return image
    if extent == 0:
        return image.flatten(1).sum(1).div(image[0].numel())[:, None, None]
    height, width = image.shape[1:]
    reach = extent - 1
    rows = []
    for i in range(0, height, extent):
        row = []
        for j in range(0, width, extent):
            window = image[:, max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
            row.append(window.flatten(1).sum(1) / window[0].numel())
        rows.append(torch.stack(row, dim=1))
    return torch.stack(rows, dim=1)


PROOFS = {
    # d / 16 is the bottleneck
    "gather-excite": BlockProof(
        formula=gather_excite,
        params=lambda d: 11 * d + 2 * d**2 / 16 + d / 16 + d,
        variants=(
            {"extent": 4, "mlp": False},
            {"extent": 0, "gather": "average", "residual": True},
            {"extent": 4, "gather": "average", "mlp": False},
            {"extent": 0, "size": [3, 4]},
            {"extent": 0, "size": [3, 4], "mlp": False},
        ),
        places="windows",
        flops=lambda d, n: (18 * d + 4 * d * (d // 16)) * n // 4,
        offers={"map": (D, H // 2, W // 2)},
        not_one="a gate for each position and channel",
        rebuilt=lambda m, x, offers: x * F.interpolate(offers[0]["map"], x.shape[2:]),
    )
}
