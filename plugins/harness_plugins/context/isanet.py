"""Interlaced sparse self-attention."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from harness_plugins.context.attention import FusedAttentionBlock, options
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


class GroupAttention(FusedAttentionBlock):
    """Self-attention within each of many small maps, (G, C, h, w) -> same; mmseg's block of ``isa_head``."""

    def __init__(self, channels: int, attention_channels: int):
        super().__init__(channels, channels, attention_channels, channels, key_query_num_convs=2, with_out=False, report=False)
        self.output_project = ConvModule(channels, channels, 1, **options())

    def forward(self, x: Tensor) -> Tensor:
        return self.output_project(super().forward(x, x))


@attention_method("isanet", slot="context")
class InterlacedSparseAttention(nn.Module):
    """ISA: attention among distant positions, then among neighbours.

    The map is cut into local groups of P_h × P_w positions. First, positions with the same place in their groups
    attend to each other; then the positions of each group. Together every position reaches every other.

    Formula:
        y = ReLU(BN(W [A_local(A_global(x)), x])), each A a self-attention with two-layer query and key projections

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        With m attention channels: 2 × [2(Cm + 2m + m² + 2m) + C² + C + C² + 2C] + 2C² + 2C.

    Map:
        ``attention`` (B, 1, N, N), the product of the two sparse maps (padding left out, so rows sum to 1 only where no
        padding was needed).

    Source:
        Huang, Yuan, Guo, Zhang, Chen, Wang, arXiv 1907.12273, section 3.2; openseg-group/openseg.pytorch. Compared with
        ``mmseg.ISAHead`` as ``_base_/models/isanet_r50-d8.py`` configures it, the whole head's weights copied.

    Args:
        channels: width C of the map.
        attention_channels: m; C / 2 by default (256 of 512).
        down_factor: (P_h, P_w).
        dropout: rate of dropping whole channels at the end, as the authors have it.
    """

    query_key = tuple(f"{part}_relation.{name}_project" for part in ("global", "local") for name in ("query", "key"))

    def __init__(self, channels: int, attention_channels: int | None = None, down_factor: Sequence[int] = (8, 8), dropout: float = 0.05):
        super().__init__()
        width = attention_channels or max(channels // 2, 1)
        self.down_factor = tuple(down_factor)
        self.global_relation = GroupAttention(channels, width)
        self.local_relation = GroupAttention(channels, width)
        self.out_conv = ConvModule(2 * channels, channels, 1, **options())
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        (height, width), (local_h, local_w) = x.shape[2:], self.down_factor
        global_h, global_w = math.ceil(height / local_h), math.ceil(width / local_w)
        pad_h, pad_w = global_h * local_h - height, global_w * local_w - width
        padded = F.pad(x, (pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))

        distant = padded.unflatten(3, (global_w, local_w)).unflatten(2, (global_h, local_h))
        distant = distant.permute(0, 3, 5, 1, 2, 4)
        before = distant.flatten(0, 2)
        after = self.global_relation(before)
        near = after.unflatten(0, distant.shape[:3]).permute(0, 4, 5, 3, 1, 2)
        groups = near.flatten(0, 2)
        y = self.local_relation(groups).unflatten(0, near.shape[:3]).permute(0, 3, 1, 4, 2, 5)
        y = y.flatten(4, 5).flatten(2, 3)
        inside = (slice(pad_h // 2, pad_h // 2 + height), slice(pad_w // 2, pad_w // 2 + width))

        slots.observe(self, attention=lambda: self._map(before, groups, distant.shape[:3], (global_h, global_w), inside))
        return self.dropout(self.out_conv(torch.cat([y[:, :, inside[0], inside[1]], x], dim=1)))

    def _map(self, before: Tensor, groups: Tensor, batch: torch.Size, grid: tuple[int, int], inside: tuple[slice, slice]) -> Tensor:
        """Positions are numbered row by row after the padding has been cut off."""
        count, local_h, local_w = batch
        (global_h, global_w), side = grid, local_h * local_w
        far = self.global_relation.attention_map(before, before).view(count, side, global_h * global_w, -1)
        close = self.local_relation.attention_map(groups, groups).view(count, global_h * global_w, side, side)
        # from (group g, place p) to (group h, place r): near within g from p to r, then far at r from g to h
        joint = torch.einsum("bgpr,brgh->bgphr", close, far)
        joint = joint.reshape(count, global_h, global_w, local_h, local_w, global_h, global_w, local_h, local_w)
        joint = joint.permute(0, 1, 3, 2, 4, 5, 7, 6, 8).flatten(7, 8).flatten(5, 6).flatten(3, 4).flatten(1, 2)
        rows, columns = inside
        return joint[:, rows, columns, rows, columns].flatten(3, 4).flatten(1, 2).unsqueeze(1)
