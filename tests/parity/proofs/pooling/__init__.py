"""What a pooling is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from proofs import slow
from proofs.proof import Proof


@dataclass(frozen=True, kw_only=True)
class PoolingProof(Proof):
    """Beside :class:`~proofs.proof.Proof`."""

    formula: Callable[..., Tensor]
    """The slow reference: ``formula(x, state, **options)`` of a map (B, d, H, W), the state dict and parameters is (B, d)."""
    params: Callable[[int], int]
    """The published parameter count of the default, as a function of d."""
    variants: tuple[dict[str, Any], ...] = ()
    """Further parameter settings to compare."""
    places: str = ""
    """Why the order of the positions matters."""


def one_of(vectors: list[Tensor], how: str) -> Tensor:
    """One vector of several."""
    return torch.stack(vectors).max(0).values if how == "max" else slow.mean(vectors)
