"""Global average pooling and global max pooling: uniform attention, the two ends of f_α."""

from __future__ import annotations

from harness_plugins.pooling.frame import Pooling
from torch import Tensor
from torch.nn import functional as F

from harness.slots import attention_method, observe


@attention_method("gap", slot="pooling")
class GlobalAveragePooling(Pooling):
    """Global average pooling: every step of the frame at its default.

    Equal to ``mmpretrain.GlobalAveragePooling`` on a 4-D map.

    Formula:
        z = (1/N) Σ_i x_i

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        0.

    Map:
        Uniform: ``map`` (B, 1, H, W), 1/N everywhere.

    Source:
        Lin, Chen, Yan, ICLR 2014, section 3.2. Compared with ``mmpretrain.GlobalAveragePooling``.

    Args:
        channels: ignored.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        # what the frame's defaults come to, without their views, which on small maps take as long as the mean
        observe(self, map=lambda: self.map(None, x.flatten(2).transpose(1, 2)).unflatten(-1, x.shape[-2:]))
        return x.mean((2, 3))


@attention_method("max-pool", slot="pooling")
class GlobalMaxPooling(Pooling):
    """Global max pooling: the frame with f_{-∞}.

    Among equal maxima the gradient goes to one of them.

    Formula:
        z = max_i x_i per channel

    Shapes:
        (B, d, H, W) → (B, d).

    Parameters:
        0.

    Map:
        None: the attention is one-hot, at another position for each channel.

    Source:
        Oquab et al., CVPR 2015; the ``max`` of billpsomas/simpool. Compared with its equation.

    Args:
        channels: ignored.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        return F.adaptive_max_pool2d(x, 1).flatten(1)
