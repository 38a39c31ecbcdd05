"""What a whole model is compared with: small ones, one image at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from proofs.slow import State

CHANNELS, SCENES = (6, 10), 3


def features(images: int = 4) -> tuple[Tensor, Tensor]:
    """The same fine and coarse maps every time."""
    draws = torch.Generator().manual_seed(1)
    return tuple(torch.randn(images, c, *size, generator=draws) for c, size in zip(CHANNELS, ((4, 6), (2, 3)), strict=True))


def dense(state: State, name: str, v: Tensor) -> Tensor:
    """A linear layer, one product after the other."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return torch.stack([sum(weight[i, j] * v[j] for j in range(len(v))) + bias[i] for i in range(len(weight))])
