"""Plain forms of the context methods that do not run OpenMMLab's code as it is."""

from __future__ import annotations

import copy
import math
from functools import partial

import torch
from mmseg.models.decode_heads.da_head import PAM
from mmseg.models.utils import SelfAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F

from peers.peer import Peer


def shipped(module: nn.Module, _channels: int) -> nn.Module:
    """The same parts, their attention computed by mmseg's own ``forward``."""
    twin = copy.deepcopy(module)
    for part in twin.modules():
        if isinstance(part, PAM):
            part.forward = partial(_shipped_position_attention, part)
        elif hasattr(part, "output_project"):
            part.forward = partial(_shipped_group_attention, part)
        elif isinstance(part, SelfAttentionBlock):
            part.forward = partial(SelfAttentionBlock.forward, part)
    return twin


def _shipped_position_attention(block: PAM, x: Tensor) -> Tensor:
    return block.gamma(SelfAttentionBlock.forward(block, x, x)) + x


def _shipped_group_attention(block: SelfAttentionBlock, x: Tensor) -> Tensor:
    return block.output_project(SelfAttentionBlock.forward(block, x, x))


def _attention(m: SelfAttentionBlock, x: Tensor, scale: float, pooled: nn.Module | None = None) -> Tensor:
    """Softmax attention of a map to itself, or to its pooled self, (B, C, H, W) -> (B, m, H, W)."""
    q, k, v = m.query_project(x), m.key_project(x), m.value_project(x)
    if pooled is not None:
        k, v = pooled(k), pooled(v)
    logits = scale * (q.flatten(2).transpose(1, 2) @ k.flatten(2))
    return (v.flatten(2) @ logits.softmax(-1).transpose(1, 2)).unflatten(2, x.shape[2:])


def ocnet(m: nn.Module, x: Tensor) -> Tensor:
    block = m.attention
    return m.join(torch.cat([block.out_project(_attention(block, x, block.channels**-0.5)), x], 1))


def ann(m: nn.Module, x: Tensor) -> Tensor:
    block = m.context.stages[0]

    def pooled(y: Tensor) -> Tensor:
        return torch.cat([F.adaptive_avg_pool2d(y, side).flatten(2) for side in (1, 3, 6, 8)], 2)

    context = _attention(block, x, block.channels**-0.5, pooled)
    return m.context.bottleneck(torch.cat([block.out_project(context), x], 1))


def danet(m: nn.Module, x: Tensor) -> Tensor:
    positions = m.pam.gamma(_attention(m.pam, x, 1.0)) + x
    tokens = x.flatten(2)
    energy = tokens @ tokens.transpose(1, 2)
    weights = (energy.amax(-1, keepdim=True) - energy).softmax(-1)
    return positions + m.cam.gamma((weights @ tokens).view_as(x)) + x


def isanet(m: nn.Module, x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    local_h, local_w = m.down_factor
    rows, columns = math.ceil(height / local_h), math.ceil(width / local_w)
    below, beside = rows * local_h - height, columns * local_w - width
    top, left = below // 2, beside // 2
    y = F.pad(x, (left, beside - left, top, below - top))
    y = y.view(batch, channels, rows, local_h, columns, local_w)
    y = y.permute(0, 3, 5, 1, 2, 4).reshape(-1, channels, rows, columns)
    block = m.global_relation
    y = block.output_project(_attention(block, y, block.channels**-0.5))
    y = y.view(batch, local_h, local_w, channels, rows, columns)
    y = y.permute(0, 4, 5, 3, 1, 2).reshape(-1, channels, local_h, local_w)
    block = m.local_relation
    y = block.output_project(_attention(block, y, block.channels**-0.5))
    y = y.view(batch, rows, columns, channels, local_h, local_w)
    y = y.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, rows * local_h, columns * local_w)
    return m.out_conv(torch.cat([y[:, :, top : top + height, left : left + width], x], 1))


def _by_absolute_position(window: Tensor, size: tuple[int, int]) -> Tensor:
    """``PSAMask('collect')``: for each target its window of logits, laid over the map, (B, M, H, W) -> (B, N, N)."""
    height, width = window.shape[2:]
    columns = []
    for target, logits in enumerate(window.flatten(2).unbind(2)):
        i, j = divmod(target, width)
        laid = logits.unflatten(1, size)
        top, left = size[0] // 2 - i, size[1] // 2 - j
        laid = F.pad(laid, (max(-left, 0), max(width - size[1] + left, 0), max(-top, 0), max(height - size[0] + top, 0)))
        top, left = max(top, 0), max(left, 0)
        columns.append(laid[:, top : top + height, left : left + width].flatten(1))
    return torch.stack(columns, 2)


def psanet(m: nn.Module, x: Tensor) -> Tensor:
    def branch(part: nn.Module) -> Tensor:
        y: Tensor = part.reduce(x)
        odd = bool(y.shape[2] % 2 and y.shape[3] % 2)
        side = [(s + 1) // 2 if odd else s // 2 for s in y.shape[2:]]
        y = F.interpolate(y, size=side, mode="bilinear", align_corners=odd)
        logits = _by_absolute_position(part.attention(y), part.mask_size)
        if part.distribute:
            logits = logits.transpose(1, 2)
        return (y.flatten(2) @ logits.softmax(1)).view_as(y)

    z = m.proj(torch.cat([branch(m.collect), branch(m.distribute)], 1))
    odd = bool(x.shape[2] % 2 and x.shape[3] % 2)
    return m.bottleneck(torch.cat([x, F.interpolate(z, size=x.shape[2:], mode="bilinear", align_corners=odd)], 1))


PEERS = {
    "ocnet": Peer(ocnet, shipped, matrices=4, dense=8),
    "danet": Peer(danet, shipped, matrices=4, dense=7),
    "ann": Peer(ann, shipped, dense=8),
    "isanet": Peer(isanet, shipped, dense=18),
    "psanet": Peer(psanet, dense=37),
}
