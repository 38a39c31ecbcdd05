"""What detectors that find a set of objects share: heads, padding, and the attention of mmcv's layers, offered."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots


class ToBox(nn.Sequential):
    """Three linear layers with ReLUs between, (..., d) -> (..., 4), before any sigmoid."""

    def __init__(self, dim: int) -> None:
        super().__init__(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 4))


def hidden(padding: Tensor, x: Tensor) -> Tensor:
    """Which positions (B, H_i, W_i) of a map lie in the padding (B, H, W) of the images."""
    return F.interpolate(padding[:, None].float(), size=x.shape[-2:])[:, 0].bool()


def offer(module: nn.Module) -> None:
    """Have every ``nn.MultiheadAttention`` inside offer its queries, keys and weights to observers; its numbers stay as they are."""
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            part.register_forward_hook(_offered, with_kwargs=True)


def _offered(part: nn.MultiheadAttention, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any) -> None:
    query, key, *_ = (*args, *(kwargs[name] for name in ("query", "key") if name in kwargs))
    padded = kwargs.get("key_padding_mask")

    def heads(x: Tensor, which: int) -> Tensor:
        # (N, B, d) here, as mmcv calls it
        weight, bias = part.in_proj_weight.chunk(3)[which], part.in_proj_bias.chunk(3)[which]
        return F.linear(x.transpose(0, 1), weight, bias).unflatten(-1, (part.num_heads, -1)).transpose(1, 2)

    def attention() -> Tensor:
        q, k = heads(query, 0), heads(key, 1)
        logits = q @ k.mT / q.shape[-1] ** 0.5
        return (logits if padded is None else logits.masked_fill(padded[:, None, None], -torch.inf)).softmax(-1)

    slots.observe(part, q=lambda: heads(query, 0), k=lambda: heads(key, 1), attention=attention)
