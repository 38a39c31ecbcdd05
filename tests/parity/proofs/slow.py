"""Arithmetic of the references, as papers print it: one image and one position at a time, in float64.

Nothing is folded, fused or shared with the plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

State = dict[str, Tensor]
"""A module's state dict."""


def positions(image: Tensor) -> list[Tensor]:
    """The vectors of an image (C, H, W), in row-major order."""
    return [image[:, i, j] for i in range(image.shape[1]) for j in range(image.shape[2])]


def pooled(pool: Callable[[list[Tensor]], Tensor], x: Tensor) -> Tensor:
    """``pool`` of each image's positions, (B, C, H, W) -> (B, ...)."""
    return torch.stack([pool(positions(image)) for image in x])


def mapped(block: Callable[[list[Tensor]], list[Tensor]], x: Tensor) -> Tensor:
    """``block`` of each image's positions, (B, C, H, W) -> (B, ..., H, W)."""
    return torch.stack([torch.stack(block(positions(image)), dim=1).reshape(-1, *image.shape[1:]) for image in x])


def linear(state: State, name: str, v: Tensor) -> Tensor:
    """A linear layer, or a 1x1 convolution, of one vector."""
    weight = state[f"{name}.weight"]
    out = weight.reshape(weight.shape[0], -1) @ v
    return out + state[f"{name}.bias"] if f"{name}.bias" in state else out


def layer_norm(state: State, name: str, v: Tensor, eps: float = 1e-5) -> Tensor:
    centred = v - v.sum() / len(v)
    unit = centred / torch.sqrt((centred * centred).sum() / len(v) + eps)
    return unit * state[f"{name}.weight"].flatten() + state[f"{name}.bias"].flatten()


def batch_norm(state: State, name: str, v: Tensor) -> Tensor:
    unit = (v - state[f"{name}.running_mean"]) / torch.sqrt(state[f"{name}.running_var"] + 1e-5)
    return unit * state[f"{name}.weight"] + state[f"{name}.bias"]


def sigmoid(v: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-v))


def relu(v: Tensor) -> Tensor:
    return torch.where(v > 0, v, torch.zeros_like(v))


def gelu(v: Tensor) -> Tensor:
    return v * 0.5 * (1 + torch.erf(v / math.sqrt(2)))


def softmax(scores: list[Tensor]) -> list[Tensor]:
    top = max(s.item() for s in scores)
    powers = [torch.exp(s - top) for s in scores]
    return [p / sum(powers) for p in powers]


def mean(vectors: list[Tensor]) -> Tensor:
    return sum(vectors) / len(vectors)


def weighted(weights: list[Tensor], vectors: list[Tensor]) -> Tensor:
    return sum(w * v for w, v in zip(weights, vectors, strict=True))


def correlate(image: Tensor, kernel: Tensor) -> Tensor:
    """(C, H, W) with a kernel (C, k, k), zero outside, to (H, W)."""
    _, height, width = image.shape
    half = kernel.shape[-1] // 2
    rows = []
    for i in range(height):
        row = []
        for j in range(width):
            total = image.new_zeros(())
            for a in range(-half, half + 1):
                for b in range(-half, half + 1):
                    if 0 <= i + a < height and 0 <= j + b < width:
                        total = total + (image[:, i + a, j + b] * kernel[:, a + half, b + half]).sum()
            row.append(total)
        rows.append(torch.stack(row))
    return torch.stack(rows)
