"""Softmax attention by blocks of queries, for queries and values of unequal width on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_ENTRIES = 2**19
"""Weights in memory at a time: a block of them stays in the processor's cache between its two products."""


class BlockedAttention(torch.autograd.Function):
    """sum_j softmax_j(scale * q_i . k_j) v_j, one block of queries after the other.

    torch's fused kernel for CPUs wants q, k and v of one width, so that the narrower have to be padded; here nothing is.
    The backward pass computes the weights of a block again: one product of six more, and no N x M matrix.

    Shapes:
        q (B, N, d), k (B, M, d), v (B, M, e), all of one dtype -> (B, N, e); under autocast in float32.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """One image and block at a time."""
        ctx.save_for_backward(q, k, v)
        ctx.scale = scale
        y = q.new_empty(*q.shape[:2], v.shape[-1])
        for queries, keys, values, out in zip(q, k, v, y, strict=True):
            for some, result in zip(*_blocks(queries, out, count=len(keys)), strict=True):
                torch.mm(_weights(some, keys, scale), values, out=result)
        return y

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradients of q, k and v."""
        q, k, v = ctx.saved_tensors
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for queries, keys, values, to_queries, to_keys, to_values, out in zip(q, k, v, dq, dk, dv, grad, strict=True):
            for some, result, of_out in zip(*_blocks(queries, to_queries, out, count=len(keys)), strict=True):
                weights = _weights(some, keys, ctx.scale)
                to_values.addmm_(weights.t(), of_out)
                of_weights = of_out @ values.t()
                of_logits = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
                torch.addmm(result, of_logits, keys, beta=0, alpha=ctx.scale, out=result)
                to_keys.addmm_(of_logits.t(), some, alpha=ctx.scale)
        return dq, dk, dv, None


def _blocks(*rows: Tensor, count: int) -> list[tuple[Tensor, ...]]:
    return [t.split(max(64, _ENTRIES // count)) for t in rows]


def _weights(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """softmax_j(scale * q_i . k_j), (n, d) x (M, d) -> (n, M)."""
    return torch.addmm(q.new_zeros(1), q, k.t(), beta=0, alpha=scale).softmax(-1)
