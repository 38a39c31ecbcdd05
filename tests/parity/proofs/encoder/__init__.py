"""What a transformer encoder's layer is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from proofs.proof import N, Proof, Shapes

ENCODER: Shapes = {"attention": (4, N, N), "q": (4, N, 8), "k": (4, N, 8)}
WIDTH, HIDDEN = 32, 64
"""Widths of the contract's layer, whatever the d of a map is."""


def full(d: int, f: int) -> int:
    """Parameters of a pre-norm layer: projections, feed-forward, two normalisations."""
    return 4 * d * d + 4 * d + 2 * d * f + f + d + 4 * d


def flops(attention: bool = True) -> Callable[[int, int], int]:
    """Two per entry of each matrix and token, and 4 n² d for the attention."""
    return lambda d, n: n * 2 * (4 * WIDTH * WIDTH * attention + 2 * WIDTH * HIDDEN) + n * n * 4 * WIDTH * attention


@dataclass(frozen=True, kw_only=True)
class EncoderProof(Proof):
    """Beside :class:`~proofs.proof.Proof`."""

    formula: Callable[..., Tensor]
    """The slow reference: ``formula(x, position, state, heads)`` of tokens (B, N, d), a position, the state dict is (B, N, d)."""
    params: Callable[[int, int], int] = full
    """Parameter count as a function of d and the hidden width f."""
    attends: bool = True
    """Whether every token meets every other."""
    variants: tuple[dict[str, Any], ...] = ()
    """Further parameter settings to compare."""


def rebuilt(m: Any, x: Tensor, offers: list[dict[str, Tensor]]) -> Tensor:
    """The layer's output from its attention."""
    a = offers[0]["attention"]
    values = m.attention.value(m.norm1(x)).unflatten(-1, (a.shape[1], -1)).transpose(1, 2)
    x = x + m.residual_scale * m.attention.out((a @ values).transpose(1, 2).flatten(2))
    return x + m.residual_scale * m.feed_forward(m.norm2(x))
