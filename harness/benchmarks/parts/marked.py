"""The optimizer of a model in which modules have marked parameters."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import nn
from torch.optim import Optimizer

from harness.marks import multipliers


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MarkedParameters(DefaultOptimWrapperConstructor):
    """mmengine's constructor, which honours what :func:`harness.marks.mark` says.

    The rate of a marked group is multiplied at each step and not at the start: so every schedule holds for it in the same
    proportion, also one that ends at, or jumps to, a rate of its own.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """The optimizer wrapper; mmengine's own where nothing is marked."""
        marked = multipliers(model)
        if not marked or self.paramwise_cfg:
            return super().__call__(model)
        decay = self.optimizer_cfg.get("weight_decay", 0)
        by_multiple: dict[tuple[float, float], list[nn.Parameter]] = {}
        for parameter in model.parameters():
            by_multiple.setdefault(marked.get(parameter, (1.0, 1.0)), []).append(parameter)
        groups = [
            {"params": parameters, "lr_mult": rate, "weight_decay": decay * share} for (rate, share), parameters in by_multiple.items()
        ]
        optimizer = OPTIMIZERS.build({**self.optimizer_cfg, "params": groups})
        _scale_steps(optimizer)
        return OPTIM_WRAPPERS.build({"type": "OptimWrapper", **self.optim_wrapper_cfg, "optimizer": optimizer})


def _scale_steps(optimizer: Optimizer) -> None:
    """Each group's rate times its ``lr_mult``, during a step only."""
    scheduled: list[float] = []

    def before(_optimizer: Optimizer, _args: Any, _keywords: Any) -> None:
        scheduled[:] = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] *= group["lr_mult"]

    def after(_optimizer: Optimizer, _args: Any, _keywords: Any) -> None:
        for group, rate in zip(optimizer.param_groups, scheduled, strict=True):
            group["lr"] = rate

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
