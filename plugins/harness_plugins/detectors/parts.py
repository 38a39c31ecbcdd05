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


def offer(layer: nn.MultiheadAttention) -> None:
    """Have mmcv's self-attention over positions offer its queries, keys and weights to observers; its numbers stay as they are."""
    layer.register_forward_hook(_positions, with_kwargs=True)


def offer_read(layer: nn.MultiheadAttention) -> None:
    """Have mmcv's cross-attention offer where each object looks, the mean over heads; ``layer.grid`` is the (H, W) of the positions."""
    layer.register_forward_hook(_objects, with_kwargs=True)


def heads(layer: nn.MultiheadAttention, x: Tensor, which: int) -> Tensor:
    """Queries (``which`` 0), keys or values of each head, (N, B, d) as mmcv passes them -> (B, heads, N, d_h)."""
    weight, bias = layer.in_proj_weight.chunk(3)[which], layer.in_proj_bias.chunk(3)[which]
    return F.linear(x.transpose(0, 1), weight, bias).unflatten(-1, (layer.num_heads, -1)).transpose(1, 2)


def weights(layer: nn.MultiheadAttention, given: dict[str, Any]) -> Tensor:
    """Its attention, (B, heads, N_q, N_k); rows sum to 1."""
    q, k, padded = heads(layer, given["query"], 0), heads(layer, given["key"], 1), given.get("key_padding_mask")
    logits = q @ k.mT / q.shape[-1] ** 0.5
    return (logits if padded is None else logits.masked_fill(padded[:, None, None], -torch.inf)).softmax(-1)


def _positions(layer: nn.MultiheadAttention, _args: tuple[Any, ...], given: dict[str, Any], _output: Any) -> None:
    slots.observe(
        layer,
        q=lambda: heads(layer, given["query"], 0),
        k=lambda: heads(layer, given["key"], 1),
        attention=lambda: weights(layer, given),
    )


def _objects(layer: Any, _args: tuple[Any, ...], given: dict[str, Any], _output: Any) -> None:
    slots.observe(layer, map=lambda: weights(layer, given).mean(1).unflatten(-1, layer.grid))
