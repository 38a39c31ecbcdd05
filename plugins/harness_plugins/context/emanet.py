"""Expectation-maximization attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from harness_plugins.context.attention import NORM, options
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.ema_head import EMAModule
from torch import Tensor, nn

from harness import slots
from harness.slots import attention_method


@attention_method("emanet", slot="context")
class ExpectationMaximizationAttention(nn.Module):
    """The EMA unit of EMANet around mmseg's ``EMAModule``: positions are rebuilt from K bases.

    The steps run without gradients and the bases are a buffer, so W_1 gets none either (in the authors' code as in
    mmseg, which therefore freezes it).

    Formula:
        E: z_nk = softmax_k(x_n · μ_k);  M: μ_k = norm_2(Σ_n z_nk x_n / Σ_n z_nk), T times with W_1 x + b_1 for x
        y = ReLU(x + BN(W_2 ReLU(μ zᵀ)))

    Shapes:
        (B, C, H, W) → (B, C, H, W).

    Parameters:
        C² + C (W_1, frozen), C² + 2C (W_2, BN); the bases, CK numbers, are no parameters.

    Map:
        ``attention`` (B, 1, N, K), how much each basis explains each position; rows sum to 1.

    Source:
        Li, Zhong, Wu, Yang, Lin, Liu, ICCV 2019, sections 3.2 to 3.5; XiaLiPKU/EMANet. The ReLU before W_2 is mmseg's and the
        authors' code's, not the paper's. b_1 starts as in the authors' code, from U(-1/√C, 1/√C), mmseg's from zero. Compared with
        ``mmseg.EMAHead`` as ``_base_/models/emanet_r50-d8.py`` configures it, the whole head's weights copied.

    Args:
        channels: width C of the map.
        num_bases: K.
        num_stages: T.
        momentum: share of the new bases in their running mean (mmseg's convention; the paper's 0.9 is the share of
            the old ones).
        norm_momentum: of the normalisation behind W_2. The default is PyTorch's, with which ``mmseg.EMAHead`` is configured, and not
            the authors' 3e-4: theirs belongs to 30,000 iterations, of which the running averages keep the last ninth. In the 360 of
            scenes-segmentation they would keep nine tenths of where they start: 60 % mIoU with 3e-4 and 85 % with 0.1, three times
            as long 69 % and 93 % (two seeds each). Write ``norm_momentum: 3e-4`` for schedules as long as the authors'.
    """

    def __init__(self, channels: int, num_bases: int = 64, num_stages: int = 3, momentum: float = 0.1, norm_momentum: float = 0.1):
        super().__init__()
        self.ema_mid_conv = ConvModule(channels, channels, 1, act_cfg=None).requires_grad_(False)
        nn.init.uniform_(self.ema_mid_conv.conv.bias, -(channels**-0.5), channels**-0.5)
        self.ema_module = EMAModule(channels, num_bases, num_stages, momentum)
        self.ema_out_conv = ConvModule(channels, channels, 1, **options(act_cfg=None, norm_cfg={**NORM, "momentum": norm_momentum}))

    def forward(self, x: Tensor) -> Tensor:
        mid = self.ema_mid_conv(x)
        # the module replaces its bases in training, after the map has been made from the old ones
        bases = self.ema_module.bases
        slots.observe(self, keys="bases", attention=lambda: self._responsibilities(mid, bases))
        rebuilt = F.relu(self.ema_module(mid))
        return F.relu(x + self.ema_out_conv(rebuilt))

    @torch.no_grad()
    def _responsibilities(self, x: Tensor, bases: Tensor) -> Tensor:
        x = x.flatten(2).mT
        for stage in range(self.ema_module.num_stages):
            z = (x @ bases).softmax(-1)
            if stage + 1 < self.ema_module.num_stages:
                bases = F.normalize(x.mT @ F.normalize(z, p=1, dim=1), dim=1)
        return z.unsqueeze(1)
