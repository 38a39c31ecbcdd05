"""How a masking strategy is compared with what its paper says it hides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness import slots
from proofs.proof import EquationProof

BATCH, EDGE = 64, 14
TOKENS = EDGE**2


@dataclass(frozen=True, kw_only=True)
class MaskingProof(EquationProof):
    """Chooses tokens by a map it is given, and multiplies nothing."""

    flops: Any = lambda d, n: 0
    offers: str = "chooses tokens by a map it is given"
    no_gradients: str = "masks have no gradients"
    one_ratio: bool
    """Whether the share of hidden tokens is drawn once for a batch, and not for each image."""


def build(name: str, **params: Any) -> Any:
    """The strategy with every image masked, unless said otherwise."""
    return slots.build(name, {"masking_prob": 1.0, **params})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def attention() -> Tensor:
    """(B, N), distinct values, so that the ranking is unique."""
    return torch.stack([torch.randperm(TOKENS, generator=generator(i)) for i in range(BATCH)]).float()


def ranked(row: Tensor, count: int, *, highest: bool) -> set[int]:
    """The ``count`` extreme positions of a row, by sorting in Python."""
    return set(sorted(range(len(row)), key=row.tolist().__getitem__, reverse=highest)[:count])


def hidden(row: Tensor) -> set[int]:
    return set(row.nonzero().flatten().tolist())
