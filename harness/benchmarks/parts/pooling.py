"""The neck that holds the ``pooling`` slot."""

from __future__ import annotations

from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from harness import slots


@MODELS.register_module()
class PluginPooling(nn.Module):
    """Pools the last feature map with a method's plugin.

    A plugin of the ``block`` slot stands here as block, then global average.

    Forward: tuple of (B, C_i, H_i, W_i) -> tuple of one (B, C).
    """

    def __init__(self, plugin: str, params: dict[str, Any], channels: int):
        super().__init__()
        self.method = slots.build(plugin, params, channels=channels)
        self.is_block = self.method.slot == "block"

    def forward(self, features: tuple[Tensor, ...] | Tensor) -> tuple[Tensor]:
        last = features if isinstance(features, Tensor) else features[-1]
        pooled = self.method(last)
        return (pooled.mean(dim=(-2, -1)) if self.is_block else pooled,)
