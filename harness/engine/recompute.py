"""Less memory for the same training: what the backbone's parts make is computed anew for the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from harness.benchmarks.parts.frozen import FrozenBackbone


def recompute_activations(backbone: nn.Module) -> None:
    """Wrap the parts of a trained backbone (its stages) in torch's activation checkpointing.

    mmengine's ``turn_on_activation_checkpointing`` takes no keyword arguments and has batch normalization see each batch twice; here
    running statistics are left alone the second time, so that the result is that of plain training.
    """
    if isinstance(backbone, FrozenBackbone):
        return
    for part in backbone.children():
        if any(parameter.requires_grad for parameter in part.parameters()):
            for some in part if isinstance(part, nn.ModuleList) else (part,):
                some.forward = _checkpointed(some)


def _checkpointed(module: nn.Module) -> Callable[..., Any]:
    plain = module.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(module)

    @wraps(plain)
    def forward(*args: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return plain(*args, **options)
        return checkpoint(plain, *args, use_reentrant=False, context_fn=contexts, **options)

    return forward


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    normalizing = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    before = [(part.momentum, part.num_batches_tracked) for part in normalizing]
    for part in normalizing:
        part.momentum, part.num_batches_tracked = 0.0, part.num_batches_tracked and part.num_batches_tracked.clone()
    try:
        yield
    finally:
        for part, (momentum, count) in zip(normalizing, before, strict=True):
            part.momentum, part.num_batches_tracked = momentum, count
