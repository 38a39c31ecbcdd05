"""Encoder layers and position encodings as their papers and codes print them, one token at a time, in float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.slots import Position

State = dict[str, Tensor]


def _linear(state: State, name: str, v: Tensor) -> Tensor:
    return matrix(state, name) @ v + state[f"{name}.bias"]


def matrix(state: State, name: str) -> Tensor:
    """The matrix a layer applies: as it is, or with its spectral norm replaced."""
    stored = f"{name}.parametrizations.weight"
    if f"{stored}.original" not in state:
        return state[f"{name}.weight"]
    weight, u, v = (state[key] for key in (f"{stored}.original", f"{stored}.0.u", f"{stored}.0.v"))
    sigma = sum(u[i] * weight[i, j] * v[j] for i in range(len(u)) for j in range(len(v)))
    return weight * state[f"{stored}.0.scale"] / sigma


def _layer_norm(state: State, name: str, v: Tensor) -> Tensor:
    if f"{name}.weight" not in state:  # normalisation left out
        return v
    centred = v - v.mean()
    return centred / torch.sqrt((centred**2).mean() + 1e-5) * state[f"{name}.weight"] + state[f"{name}.bias"]


def _gelu(v: Tensor) -> Tensor:
    return v * 0.5 * (1 + torch.erf(v / math.sqrt(2)))


def _feed_forward(state: State, v: Tensor) -> Tensor:
    return _linear(state, "contract", _gelu(_linear(state, "expand", v)))


def encoder_layer(x: Tensor, position: Position, state: State, heads: int, residual: float = 1.0) -> Tensor:
    """(B, N, d) -> (B, N, d); ``position`` in float64."""
    images = []
    for tokens in x:
        normed = [_layer_norm(state, "norm1", token) for token in tokens]
        placed = normed if position.additive is None else [u + p for u, p in zip(normed, position.additive, strict=True)]
        q = [_linear(state, "attention.query", u) for u in placed]
        k = [_linear(state, "attention.key", u) for u in placed]
        v = [_linear(state, "attention.value", u) for u in normed]
        width = len(q[0]) // heads
        out = []
        for i in range(len(tokens)):
            parts = []
            for head in range(heads):
                channels = slice(head * width, (head + 1) * width)
                logits = []
                for j in range(len(tokens)):
                    qi, kj = q[i][channels], k[j][channels]
                    if position.rotate is not None:
                        qi, kj = position.rotate(i, qi), position.rotate(j, kj)
                    logit = (qi * kj).sum() / math.sqrt(width)
                    logits.append(logit if position.bias is None else logit + position.bias[head, i, j])
                weights = torch.exp(torch.stack(logits) - max(logit.item() for logit in logits))
                parts.append(sum(w * value[channels] for w, value in zip(weights / weights.sum(), v, strict=True)))
            token = tokens[i] + residual * _linear(state, "attention.out", torch.cat(parts))
            out.append(token + residual * _feed_forward(state, _layer_norm(state, "norm2", token)))
        images.append(torch.stack(out))
    return torch.stack(images)


def feed_forward_layer(x: Tensor, position: Position, state: State, heads: int) -> Tensor:
    """The layer without self-attention; LN_1 on a residual branch of its own, where there is one."""

    def image(tokens: Tensor) -> Tensor:
        after = [t + _layer_norm(state, "norm1", t) for t in tokens] if "norm1.weight" in state else tokens
        return torch.stack([t + _feed_forward(state, _layer_norm(state, "norm", t)) for t in after])

    return torch.stack([image(tokens) for tokens in x])


def learnable(h: int, w: int, state: State, start: int = 1) -> Tensor:
    """(h w, d): column vector, then row vector."""
    return torch.stack([torch.cat([state["column.weight"][x + start], state["row.weight"][y + start]]) for y in range(h) for x in range(w)])


def sine(h: int, w: int, dim: int, temperature: float = 10000.0) -> Tensor:
    """(h w, d): features of the row, then of the column, positions from 1, sine and cosine alternating."""

    def features(position: int) -> list[float]:
        half = dim // 2
        speeds = [temperature ** (2 * (m // 2) / half) for m in range(half)]
        return [(math.sin if m % 2 == 0 else math.cos)(position / speeds[m]) for m in range(half)]

    return torch.tensor([features(y + 1) + features(x + 1) for y in range(h) for x in range(w)], dtype=torch.float64)


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
