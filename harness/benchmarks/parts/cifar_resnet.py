"""The residual networks of the CIFAR experiments: three stages of 16, 32 and 64 channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut without parameters."""

    def __init__(self, inside: int, outside: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.stride, self.more = stride, outside - inside

    def forward(self, x: Tensor) -> Tensor:
        kept = x
        if self.stride > 1 or self.more:
            kept = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + kept)


@MODELS.register_module()
class CifarResNet(BaseModule):
    """He et al., CVPR 2016, section 4.2, with shortcuts of option A: every other position, and zeros for new channels.

    Names are those of akamaster/pytorch_resnet_cifar10, whose weights can be loaded. No network of OpenMMLab is this one:
    ``mmpretrain.ResNet_CIFAR`` is an ImageNet network with a small stem.

    Forward: (B, 3, H, W) -> the maps of the chosen stages, (B, 16 * 2^i, H / 2^i, W / 2^i).

    Args:
        depth: 6n + 2 layers: 20, 32, 44, 56, 110.
        out_indices: stages, counted from 0.
    """

    def __init__(self, depth: int, out_indices: Sequence[int] = (2,)):
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"depth {depth} is not 6n + 2; take 20, 32, 44, 56 or 110")
        self.out_indices = tuple(out_indices)
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, width in enumerate((16, 32, 64)):
            inside = max(16, width // 2)
            parts = [_Block(inside if index == 0 else width, width, 2 if index == 0 and stage else 1) for index in range(blocks)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*parts))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = F.relu(self.bn1(self.conv1(x)))
        found = []
        for stage in range(max(self.out_indices) + 1):
            x = getattr(self, f"layer{stage + 1}")(x)
            if stage in self.out_indices:
                found.append(x)
        return tuple(found)
