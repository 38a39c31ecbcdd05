"""Encodings that are added to the tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from proofs.position import DIM, H, PositionProof, W, build, double, sample
from proofs.slow import State


def learnable(h: int, w: int, state: State, start: int = 0) -> Tensor:
    """(h w, d): column vector, then row vector."""
    return torch.stack([torch.cat([state["column.weight"][x + start], state["row.weight"][y + start]]) for y in range(h) for x in range(w)])


def sine(h: int, w: int, dim: int, temperature: float = 10000.0) -> Tensor:
    """(h w, d): features of the row, then of the column, positions from 1, sine and cosine alternating."""

    def features(position: int) -> list[float]:
        half = dim // 2
        speeds = [temperature ** (2 * (m // 2) / half) for m in range(half)]
        return [(math.sin if m % 2 == 0 else math.cos)(position / speeds[m]) for m in range(half)]

    return torch.tensor([features(y + 1) + features(x + 1) for y in range(h) for x in range(w)], dtype=torch.float64)


def learnable_equals_the_formula() -> None:
    for options in ({}, {"entries": 60, "start": 1}):
        module = build("learnable-pe", **options)
        state, weights = double(module), sample(H * W, DIM)
        ours, expected = module(H, W).additive, learnable(H, W, state, options.get("start", 0))
        assert torch.equal(ours.double(), expected)
        (ours * weights).sum().backward()
        (expected * weights.double()).sum().backward()
        for key, value in module.named_parameters():
            torch.testing.assert_close(value.grad.double(), state[key].grad, rtol=1e-5, atol=1e-6)


def sine_equals_the_formula() -> None:
    ours = build("fixed-sine-2d-pe")(H, W).additive
    torch.testing.assert_close(ours.double(), sine(H, W, DIM), rtol=1e-5, atol=1e-6)


PROOFS = {
    "learnable-pe": PositionProof(
        equation=learnable_equals_the_formula,
        params=lambda d, heads: 50 * d,
        flops=lambda d, n: 0,
        offers="a position encoding: its effect is in the maps of the encoder's layers",
    ),
    "fixed-sine-2d-pe": PositionProof(
        equation=sine_equals_the_formula,
        params=lambda d, heads: 0,
        flops=lambda d, n: 0,
        offers="a position encoding",
        no_gradients="constants",
    ),
}
