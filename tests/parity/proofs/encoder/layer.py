"""The pre-norm layer, its scaled residuals, and the layer without self-attention."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from harness.slots import Position
from proofs import slow
from proofs.encoder import ENCODER, EncoderProof, flops, full, rebuilt
from proofs.slow import State

DEPTH = 6


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


def _norm(state: State, name: str, v: Tensor) -> Tensor:
    return slow.layer_norm(state, name, v) if f"{name}.weight" in state else v  # left out


def _feed_forward(state: State, v: Tensor) -> Tensor:
    return _linear(state, "contract", slow.gelu(_linear(state, "expand", v)))


def encoder_layer(x: Tensor, position: Position, state: State, heads: int, residual: float = 1.0) -> Tensor:
    """(B, N, d) -> (B, N, d); ``position`` in float64."""
    images = []
    for tokens in x:
        normed = [_norm(state, "norm1", token) for token in tokens]
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
                parts.append(slow.weighted(slow.softmax(logits), [value[channels] for value in v]))
            token = tokens[i] + residual * _linear(state, "attention.out", torch.cat(parts))
            out.append(token + residual * _feed_forward(state, _norm(state, "norm2", token)))
        images.append(torch.stack(out))
    return torch.stack(images)


def feed_forward_layer(x: Tensor, position: Position, state: State, heads: int) -> Tensor:
    """The layer without self-attention; LN_1 on a residual branch of its own, where there is one."""

    def image(tokens: Tensor) -> Tensor:
        after = [t + _norm(state, "norm1", t) for t in tokens] if "norm1.weight" in state else tokens
        return torch.stack([t + _feed_forward(state, _norm(state, "norm", t)) for t in after])

    return torch.stack([image(tokens) for tokens in x])


PROOFS = {
    "encoder-layer": EncoderProof(formula=encoder_layer, flops=flops(), offers=ENCODER, rebuilt=rebuilt),
    "inv-sqrt-l-scaling": EncoderProof(
        formula=partial(encoder_layer, residual=1 / math.sqrt(DEPTH)), flops=flops(), offers=ENCODER, rebuilt=rebuilt
    ),
    "mst-no-encoder-sa": EncoderProof(
        formula=feed_forward_layer,
        params=lambda d, f: full(d, f) - (4 * d * d + 6 * d),
        attends=False,
        variants=({"keep_norm": True},),
        flops=flops(attention=False),
        offers="the attention is what is left out",
    ),
}
