"""Atrous spatial pyramid pooling of DeepLabv3: context without attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from harness_plugins.context.attention import check_place, options
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.aspp_head import ASPPModule
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("aspp-deeplabv3", slot="context")
class AtrousPyramid(nn.Module):
    """ASPP with image pooling: context from dilated convolutions, without attention.

    Modules and names are those of ``mmseg.ASPPHead``.

    Formula:
        y = f_3×3[f_1×1(GAP(x)), f_1×1(x), f_3×3^{r_2}(x), …, f_3×3^{r_n}(x)]

        f = ReLU(BN(convolution)), r the dilation rates.

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        For n rates of which one is 1: C² + 2C (image pool), C² + 2C (rate 1), (n − 1)(9C² + 2C),
        9(n + 1)C² + 2C (join).

    Map:
        None: not attention.

    Source:
        Chen, Papandreou, Schroff, Adam, arXiv 1706.05587, section 3.3. The authors and ``mmseg.ASPPHead`` have the pyramid on the
        backbone's own 2048 channels, the last 3×3 convolution being the head's first: ``at: input``. Compared with that head as
        ``_base_/models/deeplabv3_r50-d8.py`` configures it (``at: input``), the whole head's weights copied.

    Args:
        channels: width C of the map.
        dilations: rates; (1, 12, 24, 36) belongs to stride-8 maps (mmseg's configs, the paper's for OS 8).
        at: where the pyramid stands.
        in_channels: width of the head's input; given by the head.
    """

    def __init__(
        self,
        channels: int,
        dilations: Sequence[int] = (1, 12, 24, 36),
        at: Literal["slot", "input"] = "slot",
        in_channels: int | None = None,
    ):
        super().__init__()
        check_place(at)
        read = (in_channels or channels) if at == "input" else channels
        joined = (len(dilations) + 1) * channels
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(read, channels, 1, **options()))
        self.aspp_modules = ASPPModule(tuple(dilations), read, channels, conv_cfg=None, **options())
        self.before_channels = joined if at == "input" else None
        self.bottleneck = None if at == "input" else ConvModule(joined, channels, 3, padding=1, **options())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; nothing where :meth:`before` has done it."""
        return x if self.bottleneck is None else self.bottleneck(self.before(x))

    def before(self, x: Tensor) -> Tensor:
        """The branches side by side, (B, in_channels, H, W) -> (B, (n + 1) C, H, W)."""
        image = F.interpolate(self.image_pool(x), size=x.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([image, *self.aspp_modules(x)], dim=1)
