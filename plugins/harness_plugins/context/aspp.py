"""Atrous spatial pyramid pooling of DeepLabv3: context without attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from harness_plugins.context.attention import options
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
        Chen, Papandreou, Schroff, Adam, arXiv 1706.05587, section 3.3. Compared with what ``mmseg.ASPPHead`` makes of its input, which
        there is the backbone's own map.

    Args:
        channels: width C of the map.
        dilations: rates; (1, 12, 24, 36) belongs to stride-8 maps (mmseg's configs, the paper's for OS 8).
    """

    def __init__(self, channels: int, dilations: Sequence[int] = (1, 12, 24, 36)):
        super().__init__()
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(channels, channels, 1, **options()))
        self.aspp_modules = ASPPModule(tuple(dilations), channels, channels, conv_cfg=None, **options())
        self.bottleneck = ConvModule((len(dilations) + 1) * channels, channels, 3, padding=1, **options())

    def forward(self, x: Tensor) -> Tensor:
        image = F.interpolate(self.image_pool(x), size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.bottleneck(torch.cat([image, *self.aspp_modules(x)], dim=1))
