"""Asymmetric non-local network: attention to a pyramid of pooled keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from harness_plugins.context.attention import FusedAttentionBlock, check_place, options
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.ann_head import PPMConcat
from torch import Tensor, nn

from harness.slots import attention_method


class AsymmetricBlock(nn.Module):
    """Queries from one map, keys and values from another pooled to a few tokens; joined with the query map.

    Same parameters, names and output as mmseg's ``AFNB`` (``low_channels`` given) and ``APNB`` (not given, then
    queries and keys share their projection), with the authors' dropout of channels at the end.
    """

    def __init__(self, channels: int, low_channels: int | None, project_channels: int, key_pool_scales: Sequence[int], dropout: float):
        super().__init__()
        block = FusedAttentionBlock(
            low_channels or channels,
            channels,
            project_channels,
            channels,
            share_key_query=low_channels is None,
            key_downsample=PPMConcat(key_pool_scales),
        )
        self.stages = nn.ModuleList([block])
        join = options() if low_channels is None else options(act_cfg=None)
        self.bottleneck = ConvModule(2 * channels, channels, 1, **join)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor, low: Tensor | None = None) -> Tensor:
        return self.dropout(self.bottleneck(torch.cat([self.stages[0](x, x if low is None else low), x], dim=1)))


@attention_method("ann", slot="context")
class AsymmetricNonLocal(nn.Module):
    """ANN: non-local attention to a pyramid of pooled keys; the fusion block AFNB where a shallower level is given, then APNB.

    P pools keys and values to 1² + 3² + 6² + 8² = 110 tokens. APNB attends within x (x' = x, queries and keys
    share their projection, as in mmseg); AFNB takes x' from the next shallower level of the backbone.

    Formula:
        y_i = ReLU(BN(W [W_o Σ_{j ∈ P(x')} softmax_j(q_i · k_j / √m) v_j, x_i])), AFNB without the last ReLU

    Shapes:
        (B, C, H, W) → (B, C, H, W); AFNB takes the shallower level (B, C_low, H', W') beside it.

    Parameters:
        APNB Cm + 2m (key), Cm + m (value), mC + C (out), 2C² + 2C (join); AFNB the same with the key and
        value projections of width C_low, and Cm + 2m more for its own query projection.

    Map:
        ``attention`` (B, 1, N, 110), rows sum to 1; one for each of the two blocks.

    Source:
        Zhu, Xu, Bai, Huang, Bai, ICCV 2019, section 3; MendelXu/ANN. The authors and ``mmseg.ANNHead`` have AFNB before the first 3×3
        convolution, on the backbone's own 2048 channels: ``at: input``. The slot lies behind that convolution, and by default so does
        AFNB. Where the head sees one level only, AFNB is left out. Compared with ``mmseg.ANNHead`` as
        ``_base_/models/ann_r50-d8.py`` configures it (``at: input``), the whole head's weights copied.

    Args:
        channels: width C of the map.
        low_channels: width of the shallower level, or ``None`` for APNB alone.
        project_channels: m; C / 2 by default (256 of 512, as in mmseg).
        key_pool_scales: sides of the pooled grids.
        at: where AFNB stands.
        in_channels: width of the head's input; given by the head.
        dropout: rate of dropping whole channels behind each block, as the authors have it.
    """

    def __init__(
        self,
        channels: int,
        low_channels: int | None = None,
        project_channels: int | None = None,
        key_pool_scales: Sequence[int] = (1, 3, 6, 8),
        at: Literal["slot", "input"] = "slot",
        in_channels: int | None = None,
        dropout: float = 0.05,
    ):
        super().__init__()
        check_place(at)
        width = project_channels or max(channels // 2, 1)
        ahead = (in_channels or channels) if at == "input" and low_channels else None
        self.before_channels = ahead
        self.fusion = AsymmetricBlock(ahead or channels, low_channels, width, key_pool_scales, dropout) if low_channels else None
        self.context = AsymmetricBlock(channels, None, width, key_pool_scales, dropout)
        self.query_key = ("context.stages.0.key_project",)  # the query's too
        if self.fusion is not None:
            self.query_key += ("fusion.stages.0.query_project", "fusion.stages.0.key_project")

    def before(self, x: Tensor, low: Tensor) -> Tensor:
        """AFNB on the head's input (B, in_channels, H, W), same shape."""
        assert self.fusion is not None
        return self.fusion(x, low)

    def forward(self, x: Tensor, low: Tensor | None = None) -> Tensor:
        """``low`` (B, C_low, H', W') is the shallower level's map, of any size."""
        return self.context(x if self.fusion is None or self.before_channels else self.fusion(x, low))
