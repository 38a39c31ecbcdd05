"""How a position encoding is compared with its equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness import slots
from proofs.proof import EquationProof
from proofs.slow import State

HEADS, DIM = 4, 32
H, W = 5, 7


@dataclass(frozen=True, kw_only=True)
class PositionProof(EquationProof):
    """Beside :class:`~proofs.proof.EquationProof`."""

    params: Callable[[int, int], int]
    """Parameter count as a function of the width and the number of heads."""


def build(name: str, dim: int = DIM, heads: int = HEADS, **options: Any) -> nn.Module:
    """The encoding with its parameters away from their initial values."""
    torch.manual_seed(0)
    module = slots.build(name, options, dim=dim, heads=heads)
    with torch.no_grad():
        for value in module.parameters():
            value += torch.randn_like(value)
    return module


def sample(*shape: int, seed: int = 1) -> Tensor:
    """The same random numbers every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def double(module: nn.Module) -> State:
    """Its parameters in float64, with gradients of their own."""
    return {key: value.detach().double().requires_grad_() for key, value in module.state_dict().items()}
