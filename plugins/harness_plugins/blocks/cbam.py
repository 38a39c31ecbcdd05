"""Convolutional block attention module."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("cbam", slot="block")
class CBAM(nn.Module):
    """CBAM: a channel gate, then a spatial gate on its output.

    The MLP d → d/r → ReLU → d is shared by both poolings. As in the authors' network, the gain of the normalisation and all biases
    are zero at the start: the spatial gate is then 1/2 everywhere, and the block not identity.

    Formula:
        u = x · sigmoid(MLP(mean(x)) + MLP(max(x)))
        y = u · sigmoid(BN(conv7×7([max_c(u), mean_c(u)])))

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        2d²/r + d/r + d + 98 + 2 (without ``bias``: d/r + d fewer).

    Map:
        ``map``, the spatial gate (B, 1, H, W); also ``channel``, the channel gate (B, d, 1, 1).

    Source:
        Woo, Park, Lee, Kweon, ECCV 2018, eq. 1-3. Defaults follow the authors' Jongchan/attention-module: [max, mean] order,
        biases in the MLP, batch normalisation with momentum 0.01; its start is that of ``MODELS/model_resnet.py``. Compared with
        its equations.

    Args:
        channels: d.
        ratio: r, the reduction of the MLP.
        bias: biases in the MLP; timm's port has none.
        kernel_size: of the spatial convolution.
    """

    def __init__(self, channels: int, ratio: int = 16, bias: bool = True, kernel_size: int = 7) -> None:
        super().__init__()
        hidden = max(channels // ratio, 1)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden, bias), nn.ReLU(), nn.Linear(hidden, channels, bias))
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")
        nn.init.zeros_(self.norm.weight)
        for layer in (self.mlp[0], self.mlp[2]):
            if bias:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        # by indices: the gradient of amax would share ties out, for which it compares the whole map again
        pooled = torch.stack([x.mean((-2, -1)), F.adaptive_max_pool2d(x, 1).flatten(1)])
        channel = self.mlp(pooled).sum(0).sigmoid()[..., None, None]
        u = x * channel
        spatial = self.norm(self.conv(torch.cat([u.max(1, keepdim=True).values, u.mean(1, keepdim=True)], dim=1))).sigmoid()
        observe(self, map=spatial, channel=channel)
        return u * spatial
