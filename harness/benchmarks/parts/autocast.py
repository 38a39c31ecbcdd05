"""Mixed precision without scaled gradients, on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class Autocast(OptimWrapper):
    """mmengine's ``OptimWrapper`` whose training steps run in torch's autocast to bfloat16.

    bfloat16 has the range of float32, so that no gradient is scaled. mmengine's ``AmpOptimWrapper`` scales, and refuses a CPU.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
