"""The optimizer of a model in which modules have marked parameters."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import nn
from torch.optim import Optimizer

from harness.errors import UsageError
from harness.marks import multipliers


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MarkedParameters(DefaultOptimWrapperConstructor):
    """mmengine's constructor, which honours what :func:`harness.marks.mark` says.

    Of ``paramwise_cfg`` it reads ``custom_keys`` (part of a parameter's name -> ``lr_mult`` and ``decay_mult``; the longest part
    that fits counts) and ``flat_decay_mult`` (of parameters of one dimension); both multiply with the marks.

    The rate of a marked group is multiplied at each step and not at the start: so every schedule holds for it in the same
    proportion, also one that ends at, or jumps to, a rate of its own.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """The optimizer wrapper; mmengine's own where nothing is marked.

        Raises:
            UsageError: no parameter's name has a part that ``custom_keys`` names.
        """
        marked = multipliers(model)
        if not marked and not self.paramwise_cfg:
            return super().__call__(model)
        decay = self.optimizer_cfg.get("weight_decay", 0)
        by_multiple: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            rate, share = marked.get(parameter, (1.0, 1.0))
            own_rate, own_share = self._of_config(name, parameter)
            by_multiple.setdefault((rate * own_rate, share * own_share), []).append(parameter)
        self._refuse_unused(model)
        groups = [
            {"params": parameters, "lr_mult": rate, "weight_decay": decay * share} for (rate, share), parameters in by_multiple.items()
        ]
        optimizer = OPTIMIZERS.build({**self.optimizer_cfg, "params": groups})
        _scale_steps(optimizer)
        return OPTIM_WRAPPERS.build({"type": "OptimWrapper", **self.optim_wrapper_cfg, "optimizer": optimizer})

    def _of_config(self, name: str, parameter: nn.Parameter) -> tuple[float, float]:
        """What ``paramwise_cfg`` says of a parameter: its multiples of the learning rate and of the weight decay."""
        cfg = self.paramwise_cfg or {}
        keys = cfg.get("custom_keys", {})
        fitting = max((part for part in keys if part in name), key=len, default=None)
        if fitting is not None:
            return keys[fitting].get("lr_mult", 1.0), keys[fitting].get("decay_mult", 1.0)
        return 1.0, cfg.get("flat_decay_mult", 1.0) if parameter.ndim <= 1 else 1.0

    def _refuse_unused(self, model: nn.Module) -> None:
        names = [name for name, _ in model.named_parameters()]
        for part in (self.paramwise_cfg or {}).get("custom_keys", {}):
            if not any(part in name for name in names):
                shown = ", ".join(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
                raise UsageError(f"schedule.parameters: no parameter's name has '{part}' in it. They begin with {shown}.")


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
