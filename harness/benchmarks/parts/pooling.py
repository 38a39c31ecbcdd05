"""The neck that holds the ``pooling`` slot."""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from harness import slots


@MODELS.register_module()
class PluginPooling(nn.Module):
    """Pools the last feature map with a method's plugin.

    A plugin of the ``block`` slot stands here as block, then global average. A plugin whose constructor has a
    ``transformer`` argument is told whether the features are those of a vision transformer.

    Forward: tuple of (B, C_i, H_i, W_i) -> tuple of one (B, C).
    """

    def __init__(self, plugin: str, channels: int, params: dict[str, Any] | None = None, transformer: bool = False):
        super().__init__()
        params = params or {}
        cls = slots.registry().module_dict.get(plugin)
        asked = cls is not None and "transformer" in inspect.signature(cls).parameters and "transformer" not in params
        self.method = slots.build(plugin, params, channels=channels, **({"transformer": transformer} if asked else {}))
        self.is_block = self.method.slot == "block"

    def forward(self, features: tuple[Tensor, ...] | Tensor) -> tuple[Tensor]:
        last = features if isinstance(features, Tensor) else features[-1]
        pooled = self.method(last)
        return (pooled.mean(dim=(-2, -1)) if self.is_block else pooled,)
