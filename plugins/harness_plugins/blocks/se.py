"""Squeeze-and-excitation."""

from __future__ import annotations

from mmpretrain.models.utils import SELayer
from mmpretrain.models.utils.make_divisible import make_divisible
from torch import Tensor
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("se", slot="block")
class SqueezeExcite(SELayer):
    """Squeeze-and-excitation: a channel gate from the average over positions.

    The layers are ``mmpretrain.models.utils.SELayer`` (1×1 convolutions with bias). Not identity at the start: s is
    near 1/2.

    Formula:
        y = s · x,  s = sigmoid(W_2 ReLU(W_1 mean(x)))

    Shapes:
        (B, d, H, W) → (B, d, H, W).

    Parameters:
        2d²/r + d/r + d.

    Map:
        None: it offers ``channel``, the gate s (B, d, 1, 1), the same at every position.

    Source:
        Hu, Shen, Sun, CVPR 2018, eq. 2-4; hujie-frank/SENet. Compared with ``mmpretrain.SELayer`` (``divisor: 8``) and its equation.

    Args:
        channels: d.
        ratio: r, the reduction of the bottleneck.
        divisor: rounds the bottleneck's width up to a multiple; 1 is the paper's d / r, 8 is mmpretrain's default.
        residual: return ReLU(x + y), as the pooling comparison of SimPool's release does.
    """

    def __init__(self, channels: int, ratio: int = 16, divisor: int = 1, residual: bool = False) -> None:
        super().__init__(channels, squeeze_channels=make_divisible(max(channels // ratio, 1), divisor))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        # one vector per image: two products, where a convolution of a 1x1 map would cost more than it computes
        squeeze, excite = self.conv1.conv, self.conv2.conv
        hidden = F.relu(F.linear(x.mean((2, 3)), squeeze.weight.flatten(1), squeeze.bias))
        gate = F.linear(hidden, excite.weight.flatten(1), excite.bias).sigmoid()[..., None, None]
        observe(self, channel=gate)
        y = x * gate
        return F.relu(x + y) if self.residual else y
