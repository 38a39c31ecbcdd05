"""Encodings of the offset between two tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from proofs.position import DIM, HEADS, H, PositionProof, W, build, double, sample
from proofs.slow import State


def t5_bucket(offset: int, buckets: int = 32, max_distance: int = 128) -> int:
    """Bucket of the relative position key - query, after Raffel et al. (2020)."""
    half, exact = buckets // 2, buckets // 4
    base, distance = (half if offset > 0 else 0), abs(offset)
    if distance < exact:
        return base + distance
    far = exact + int(math.log(distance / exact) / math.log(max_distance / exact) * (half - exact))
    return base + min(far, half - 1)


def t5(h: int, w: int, state: State) -> Tensor:
    """(heads, h w, h w)."""
    places = [(y, x) for y in range(h) for x in range(w)]
    rows = [
        torch.stack([state["row"][:, t5_bucket(yj - yi)] + state["column"][:, t5_bucket(xj - xi)] for yj, xj in places], dim=-1)
        for yi, xi in places
    ]
    return torch.stack(rows, dim=1)


def rotary(w: int, temperature: float = 10000.0):
    """Rotation of one head's query or key at token ``i`` of a map ``w`` columns wide."""

    def rotate(i: int, v: Tensor) -> Tensor:
        half, out = len(v) // 2, []
        for place, offset in ((i // w, 0), (i % w, half)):
            for m in range(half // 2):
                angle = place * temperature ** (-2 * m / half)
                a, b = v[offset + 2 * m], v[offset + 2 * m + 1]
                out += [a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)]
        return torch.stack(out)

    return rotate


def t5_equals_the_formula() -> None:
    module = build("t5-relative-pe")
    state, weights = double(module), sample(HEADS, H * W, H * W)
    ours, expected = module(H, W).bias, t5(H, W, state)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-6)
    (ours * weights).sum().backward()
    (expected * weights.double()).sum().backward()
    for key, value in module.named_parameters():
        torch.testing.assert_close(value.grad.double(), state[key].grad, rtol=1e-5, atol=1e-4)


def rotary_equals_the_formula() -> None:
    rotate, slow = build("rotary-pe")(H, W).rotate, rotary(W)
    q = sample(2, HEADS, H * W, DIM // HEADS).requires_grad_()
    exact = q.detach().double().requires_grad_()
    weights = sample(*q.shape, seed=2)
    expected = torch.stack([torch.stack([torch.stack([slow(i, v) for i, v in enumerate(head)]) for head in image]) for image in exact])
    ours = rotate(q)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-5)
    (ours * weights).sum().backward()
    (expected * weights.double()).sum().backward()
    torch.testing.assert_close(q.grad.double(), exact.grad, rtol=1e-5, atol=1e-5)


PROOFS = {
    "t5-relative-pe": PositionProof(
        equation=t5_equals_the_formula,
        params=lambda d, heads: 2 * 32 * heads,
        flops=lambda d, n: 0,
        offers="a position encoding",
        matrix="a bias for every pair is what it is",
    ),
    "rotary-pe": PositionProof(
        equation=rotary_equals_the_formula,
        params=lambda d, heads: 0,
        flops=lambda d, n: 0,
        offers="a position encoding",
        no_gradients="a function of its own: its equation is compared with its gradient",
    ),
}
