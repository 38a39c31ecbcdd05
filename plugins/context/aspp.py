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
    r"""ASPP with image pooling, (B,C,H,W) -> (B,C,H,W).

    .. math:: y = f_{3\times3}\big[f_{1\times1}(\mathrm{GAP}(x)), f_{1\times1}(x), f_{3\times3}^{r_2}(x), \dots, f_{3\times3}^{r_n}(x)\big]

    with f = ReLU(BN(convolution)) and dilation rates r. Modules, names and output are those of ``mmseg.ASPPHead``.

    Parameters for n rates of which one is 1: C² + 2C (image pool), C² + 2C (rate 1), (n - 1)(9C² + 2C),
    9(n + 1)C² + 2C (join). Complexity O(N C² n). Not attention: there is no map.

    Chen, Papandreou, Schroff, Adam, "Rethinking Atrous Convolution for Semantic Image Segmentation", arXiv
    1706.05587, section 3.3.

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
