"""Maps as token sequences, and softmax attention over them: shared by the blocks with an N x N map."""

from __future__ import annotations

import torch
from harness_plugins.blocks.blocked import BlockedAttention
from torch import Tensor, nn
from torch.nn import functional as F

_FUSED_FROM = 1024
"""Number of keys from which the fused kernel pays: below, the N x N matrix is small and two plain products are faster."""

_FUSED_UP_TO = 128
"""Width up to which the fused kernel for CPUs, which asks for one width of all three, is faster than products of blocks."""

_CUDA_MULTIPLE = 8
"""Fused kernels for GPUs take values wider than queries, each width a multiple of 16 bytes; others would get the N x N matrix."""


def project(tokens: Tensor, conv: nn.Conv2d, shift: Tensor | None = None) -> Tensor:
    """A 1x1 convolution that returns tokens: W x_i + b + shift.

    Args:
        tokens: (B, C, N), a map flattened as it lies.
        conv: 1x1, C -> D.
        shift: (B, D), one offset per image; how whitening is folded into the projection.

    Returns:
        (B, N, D); contiguous where :func:`attend` uses the fused kernel, which wants that.
    """
    weight, bias = conv.weight.flatten(1), conv.bias
    channels, count = tokens.shape[1:]
    if channels > 2 * count:
        # batched products make a gradient of the weights for each image, which here is larger than the map
        y = F.conv1d(tokens, weight.unsqueeze(-1), bias)
        return (y if shift is None else y + shift.unsqueeze(-1)).transpose(1, 2)
    offset = tokens.new_zeros(1, 1) if bias is None else bias.unsqueeze(0)
    if shift is not None:
        offset = offset + shift
    if count < _FUSED_FROM:
        return torch.baddbmm(offset.unsqueeze(-1), weight.expand(len(tokens), -1, -1), tokens).transpose(1, 2)
    return torch.baddbmm(offset.unsqueeze(1), tokens.transpose(1, 2), weight.t().expand(len(tokens), -1, -1))


def expand(tokens: Tensor, conv: nn.Conv2d, offset: Tensor | None = None) -> Tensor:
    """The 1x1 convolution back to a map: W y_i + b + offset.

    Args:
        tokens: (B, N, D).
        conv: 1x1, D -> C.
        offset: (B, C), one per image, instead of b.

    Returns:
        (B, C, N), contiguous.
    """
    bias, count = conv.bias if offset is None else offset, tokens.shape[1]
    if offset is None and len(conv.weight) > 2 * count:
        return F.conv1d(tokens.transpose(1, 2), conv.weight.squeeze(-1), bias)
    weight = conv.weight.flatten(1).expand(len(tokens), -1, -1)
    bias = tokens.new_zeros(1) if bias is None else bias
    return torch.baddbmm(bias.unsqueeze(-1), weight, tokens.transpose(1, 2))


def attention_map(q: Tensor, k: Tensor, scale: float = 1.0) -> Tensor:
    """softmax_j(scale * q_i . k_j), (B, N, d) x (B, M, d) -> (B, 1, N, M); rows sum to 1."""
    # scaled inside the product: a pass over q or over the logits less
    logits = torch.baddbmm(q.new_zeros(1), q, k.transpose(1, 2), beta=0, alpha=scale)
    return logits.softmax(-1).unsqueeze(1)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float = 1.0) -> Tensor:
    """sum_j softmax_j(scale * q_i . k_j) v_j, without the N x M matrix where that is large.

    Args:
        q: (B, N, d).
        k: (B, M, d).
        v: (B, M, e).

    Returns:
        (B, N, e).
    """
    width, out = q.shape[-1], v.shape[-1]
    if k.shape[1] < _FUSED_FROM:
        return attention_map(q, k, scale).squeeze(1).to(v.dtype) @ v
    on_cpu = q.device.type == "cpu"
    unfit = width != out or width > _FUSED_UP_TO
    if unfit and on_cpu and not torch.compiler.is_compiling():
        return BlockedAttention.apply(q, k, v.to(q.dtype), scale)
    multiple = max(width, out) if on_cpu else _CUDA_MULTIPLE
    q, k, v = (_widened(t, multiple).contiguous().unsqueeze(1) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=scale).squeeze(1)[..., :out]


def _widened(tokens: Tensor, multiple: int) -> Tensor:
    """With zero channels up to a multiple, as a fused kernel asks for: they change no product."""
    lacking = -tokens.shape[-1] % multiple
    return F.pad(tokens, (0, lacking)) if lacking else tokens


def score(tokens: Tensor, vector: Tensor, bias: Tensor | None = None) -> Tensor:
    """w . x_j + b for every position: (B, C, N) with w (C,) or one per image (B, C) -> (B, N)."""
    rows = vector.expand(len(tokens), -1).unsqueeze(1)
    # a batched product, which reads the map once; a plain one would first copy it transposed
    scores = torch.bmm(rows, tokens).squeeze(1)
    return scores if bias is None else scores + bias


def pool(tokens: Tensor, weights: Tensor) -> Tensor:
    """sum_j a_j x_j: (B, C, N) and (B, N) -> (B, C)."""
    # the transposed view, not unsqueeze(-1): its strides select the faster kernel
    return torch.bmm(tokens, weights.to(tokens.dtype).unsqueeze(1).transpose(1, 2)).squeeze(-1)
