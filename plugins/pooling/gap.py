"""Global average pooling and global max pooling: uniform attention, the two ends of f_α."""

from __future__ import annotations

from harness_plugins.pooling.frame import Pooling
from torch import Tensor
from torch.nn import functional as F

from harness.slots import attention_method


@attention_method("gap", slot="pooling")
class GlobalAveragePooling(Pooling):
    """z = (1/N) Σ x_i: every step of the frame at its default.

    0 parameters, O(Nd). Map: (B, 1, H, W), uniform. Equal to ``mmpretrain.GlobalAveragePooling`` on a 4-D map.
    Source: Lin, Chen, Yan, "Network In Network", ICLR 2014, section 3.2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()


@attention_method("max-pool", slot="pooling")
class GlobalMaxPooling(Pooling):
    """z = max_i x_i per channel: the frame with f_{-∞}.

    0 parameters, O(Nd). Its attention is one-hot per channel, so there is no map to offer. Among equal maxima
    the gradient goes to one of them.
    Source: Oquab et al., "Is object localization for free?", CVPR 2015; the ``max`` of billpsomas/simpool.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        return F.adaptive_max_pool2d(x, 1).flatten(1)
