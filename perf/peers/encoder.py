"""Plain forms of the encoder layers, of the position encodings within a layer, and of the attention loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from harness.slots import AttentionState, Position
from peers.peer import Peer


class InLayer(nn.Module):
    """An encoder layer with its position encoding as one module, (B, d, H, W) -> (B, N, d)."""

    def __init__(self, layer: nn.Module, encoding: nn.Module):
        super().__init__()
        self.layer, self.encoding = layer, encoding

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(2).transpose(1, 2), self.encoding(*x.shape[2:]))


class OnStates(nn.Module):
    """An attention loss as one module on the queries and keys of L layers, (L, 2, B, heads, N, d_h) -> scalar."""

    def __init__(self, loss: nn.Module):
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor) -> Tensor:
        return self.loss([AttentionState(q, k) for q, k in x])


def _linear(linear: nn.Linear, x: Tensor) -> Tensor:
    if not parametrize.is_parametrized(linear):
        return linear(x)
    weight, spectral = linear.parametrizations.weight.original, linear.parametrizations.weight[0]
    sigma = torch.einsum("d,dc,c->", spectral.u, weight, spectral.v)
    return F.linear(x, weight * (spectral.scale / sigma), linear.bias)


def _feed_forward(m: nn.Module, x: Tensor) -> Tensor:
    return _linear(m.contract, F.gelu(_linear(m.expand, x)))


def layer(m: nn.Module, x: Tensor, position: Position) -> Tensor:
    heads = m.attention.heads
    u = m.norm1(x)
    placed = u if position.additive is None else u + position.additive
    attention = m.attention
    pairs = ((attention.query, placed), (attention.key, placed), (attention.value, u))
    q, k, v = (_linear(linear, t).unflatten(-1, (heads, -1)).transpose(1, 2) for linear, t in pairs)
    if position.rotate is not None:
        q, k = position.rotate(q), position.rotate(k)
    logits = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    if position.bias is not None:
        logits = logits + position.bias
    y = (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)
    x = x + m.residual_scale * _linear(attention.out, y)
    return x + m.residual_scale * _feed_forward(m, m.norm2(x))


def _tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def learned(m: InLayer, x: Tensor) -> Tensor:
    h, w = x.shape[2:]
    at, encoding = torch.arange(max(h, w), device=x.device) + m.encoding.start, m.encoding
    column, row = encoding.column(at[:w]).repeat(h, 1, 1), encoding.row(at[:h]).unsqueeze(1).repeat(1, w, 1)
    return layer(m.layer, _tokens(x), Position(additive=torch.cat([column, row], -1).flatten(0, 1)))


def without_attention(m: InLayer, x: Tensor) -> Tensor:
    # the encoder hands it over, whether the layer uses it or not
    m.encoding(*x.shape[2:])
    x = _tokens(x)
    return x + _feed_forward(m.layer, m.layer.norm(x))


def t5(m: InLayer, x: Tensor) -> Tensor:
    h, w = x.shape[2:]
    encoding = m.encoding
    at = torch.arange(h * w, device=x.device)

    def bias(table: Tensor, place: Tensor) -> Tensor:
        offset = place[None, :] - place[:, None]
        half, distance = encoding.buckets // 2, offset.abs()
        exact = half // 2
        far = exact + (torch.log(distance.clamp_min(1) / exact) / math.log(encoding.max_distance / exact) * (half - exact)).long()
        index = (offset > 0) * half + torch.where(distance < exact, distance, far.clamp(max=half - 1))
        return F.embedding(index, table.t()).permute(2, 0, 1)

    return layer(m.layer, _tokens(x), Position(bias=bias(encoding.row, at // w) + bias(encoding.column, at % w)))


def rotary(m: InLayer, x: Tensor) -> Tensor:
    h, w = x.shape[2:]
    at = torch.arange(h * w, device=x.device)
    angle = torch.cat([(at // w)[:, None] * m.encoding.speed, (at % w)[:, None] * m.encoding.speed], -1).repeat_interleave(2, -1)
    cos, sin = angle.cos(), angle.sin()

    def rotate(t: Tensor) -> Tensor:
        turned = torch.stack([-t[..., 1::2], t[..., ::2]], -1).flatten(-2)
        return t * cos + turned * sin

    return layer(m.layer, _tokens(x), Position(rotate=rotate))


def alignment(m: OnStates, x: Tensor) -> Tensor:
    distances = [torch.norm(q.mean(2) - k.mean(2), dim=-1).mean() for q, k in x]
    return m.loss.weight * sum(distances) / len(distances)


class _Shipped(nn.Module):
    """mmcv's transformer layer between a map and tokens."""

    def __init__(self, layer: nn.Module, encoding: nn.Module):
        super().__init__()
        self.layer, self.encoding = layer, encoding

    def forward(self, x: Tensor) -> Tensor:
        tokens = _tokens(x)
        place = self.encoding(*x.shape[2:]).additive.expand_as(tokens)
        return self.layer(tokens, query_pos=place, key_pos=place)


def _shipped(m: nn.Module, channels: int) -> nn.Module:
    from mmcv.cnn.bricks.transformer import BaseTransformerLayer

    ours, attention = m.layer, m.layer.attention
    theirs = BaseTransformerLayer(
        attn_cfgs={"type": "MultiheadAttention", "embed_dims": channels, "num_heads": attention.heads, "batch_first": True},
        ffn_cfgs={"type": "FFN", "embed_dims": channels, "feedforward_channels": channels, "act_cfg": {"type": "GELU"}},
        operation_order=("norm", "self_attn", "norm", "ffn"),
        norm_cfg={"type": "LN"},
        batch_first=True,
    )
    projections = (attention.query, attention.key, attention.value)
    state = {
        "attentions.0.attn.in_proj_weight": torch.cat([p.weight for p in projections]),
        "attentions.0.attn.in_proj_bias": torch.cat([p.bias for p in projections]),
    }
    for name, part in (
        ("attentions.0.attn.out_proj", attention.out),
        ("ffns.0.layers.0.0", ours.expand),
        ("ffns.0.layers.1", ours.contract),
        ("norms.0", ours.norm1),
        ("norms.1", ours.norm2),
    ):
        state |= {f"{name}.weight": part.weight, f"{name}.bias": part.bias}
    theirs.load_state_dict(state)
    return _Shipped(theirs, m.encoding)


PEERS = {
    "mst-multi-scene-transformer": Peer(learned, _shipped, matrices=4, dense=12),
    "mst-no-encoder-sa": Peer(without_attention, same=True, dense=4),
    "improved-sn": Peer(learned, matrices=4, dense=12),
    "inv-sqrt-l-scaling": Peer(learned, matrices=4, dense=12),
    "sigma-reparam": Peer(learned, matrices=4, dense=12),
    "t5-relative-pe": Peer(t5, matrices=8, dense=12),
    "rotary-pe": Peer(rotary, matrices=4, dense=12),
    "qk-alignment-loss": Peer(alignment, same=True),
}
