"""Layouts in which outputs are rebuilt from maps."""

from __future__ import annotations

from torch import Tensor

from proofs.proof import Offer


def tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, N, C)."""
    return x.flatten(2).mT


def back(y: Tensor, x: Tensor) -> Tensor:
    """(B, N, C) -> a map of the size of ``x``."""
    return y.mT.unflatten(2, x.shape[2:])


def rows(offer: Offer) -> Tensor:
    """Weights (B, N, N) or (B, 1, N): pairwise, unary, or the sum of both."""
    unary = offer["map"].flatten(2) if "map" in offer else 0
    return unary + (offer["attention"][:, 0] if "attention" in offer else 0)


def pooled(x: Tensor, offers: list[Offer]) -> Tensor:
    """What each map gathers, (B, M, C)."""
    return offers[0]["map"].flatten(2) @ tokens(x)
