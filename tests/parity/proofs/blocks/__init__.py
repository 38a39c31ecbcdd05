"""What a block is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from proofs.proof import Proof


@dataclass(frozen=True, kw_only=True)
class BlockProof(Proof):
    """Beside :class:`~proofs.proof.Proof`."""

    formula: Callable[..., Tensor]
    """The slow reference: ``formula(x, state, **options)`` of a map (B, d, H, W), the state dict and parameters is of the map's size."""
    params: Callable[[int], float]
    """The published parameter count, as a function of d."""
    starts_as: Callable[[Tensor], Tensor] | None = None
    """What the block computes at initialisation, where the paper says so."""
    starts_near: float | None = None
    """Share of its input by which it differs from identity at most, where its start is small but not zero."""
    variants: tuple[dict[str, Any], ...] = ()
    """Further parameter settings to compare."""
    channels: int = 16
    """Width at which it is compared."""
    places: str = ""
    """Why permuting the positions does more than permute the output."""


def same(x: Tensor) -> Tensor:
    """The input: how a residual branch starts whose last layer is zero."""
    return x


def non_local_params(d: int) -> float:
    """Three projections to d/2 and one back."""
    return 2 * d**2 + 2.5 * d
