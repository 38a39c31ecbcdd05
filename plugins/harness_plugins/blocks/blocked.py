"""Softmax attention by blocks of queries, on a CPU: for wide queries, and for queries and values of unequal width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_KEPT, _KEPT_WIDE = 2**24, 2**28
"""Up to this many weights (64 MB, and 1 GB for wide queries) are kept for the backward pass; more are computed again there."""

_WIDE = 256
"""Width from which queries that are wider than the values make the logits too dear to be computed twice."""

_BLOCK_KEPT, _BLOCK_AGAIN = 2**21, 2**19
"""Weights in a block. The smaller stays in the processor's cache; kept weights leave it anyhow, and larger products are faster."""


class BlockedAttention(torch.autograd.Function):
    """sum_j softmax_j(scale * q_i . k_j) v_j, one block of queries after the other.

    torch's fused kernel for CPUs pads the narrower of q, k and v, and is slower than plain products for wide ones. Here nothing is
    padded, and the logits and gradients of one block only exist at a time. Where the weights are computed again, that is one
    product on top of six.

    Shapes:
        q (B, N, d), k (B, M, d), v (B, M, e), all of one dtype -> (B, N, e).
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """One image and block at a time."""
        shape = (len(q), q.shape[1], k.shape[1])
        most = _KEPT_WIDE if q.shape[-1] >= max(_WIDE, v.shape[-1] + 1) else _KEPT
        ctx.scale, ctx.keeps = scale, any(ctx.needs_input_grad) and shape[0] * shape[1] * shape[2] <= most
        kept = q.new_empty(shape if ctx.keeps else 0)
        ctx.save_for_backward(q, k, v, kept)
        y = q.new_empty(*q.shape[:2], v.shape[-1])
        for image, rows, weights in _blocks(q, k, kept):
            _softmax(q[image, rows], k[image], scale, weights)
            torch.mm(weights, v[image], out=y[image, rows])
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradients of q, k and v."""
        q, k, v, kept = ctx.saved_tensors
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for image, rows, weights in _blocks(q, k, kept):
            if not ctx.keeps:
                _softmax(q[image, rows], k[image], ctx.scale, weights)
            dv[image].addmm_(weights.t(), grad[image, rows])
            of_logits = torch._softmax_backward_data(grad[image, rows] @ v[image].t(), weights, -1, weights.dtype)
            torch.addmm(dq[image, rows], of_logits, k[image], beta=0, alpha=ctx.scale, out=dq[image, rows])
            dk[image].addmm_(of_logits.t(), q[image, rows], alpha=ctx.scale)
        return dq, dk, dv, None


def _blocks(q: Tensor, k: Tensor, kept: Tensor) -> Iterator[tuple[int, slice, Tensor]]:
    """Image, rows, and where their weights lie: in ``kept``, or in one place that all blocks share."""
    count = k.shape[1]
    step = max(64, (_BLOCK_KEPT if len(kept) else _BLOCK_AGAIN) // count)
    shared = None if len(kept) else q.new_empty(min(step, q.shape[1]), count)
    for image in range(len(q)):
        for start in range(0, q.shape[1], step):
            rows = slice(start, min(start + step, q.shape[1]))
            yield image, rows, kept[image, rows] if shared is None else shared[: rows.stop - start]


def _softmax(q: Tensor, k: Tensor, scale: float, out: Tensor) -> None:
    """Write softmax_j(scale * q_i . k_j), (n, d) x (M, d) -> (n, M), into ``out``."""
    torch.addmm(out, q, k.t(), beta=0, alpha=scale, out=out)
    torch.softmax(out, -1, out=out)
