"""What a relation between regions is compared with: one region, one relation and one other region at a time."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from harness import slots
from proofs.slow import State


def regions(n: int) -> int:
    """The regions that the contract's probe draws for a square map of n positions: as many as it has rows."""
    return isqrt(n)


def build(slot_plugin: str, **arguments: Any) -> nn.Module:
    """A plugin in float64 with nothing at a special value."""
    torch.manual_seed(0)
    module = slots.build(slot_plugin, {}, **arguments).double().eval()
    for parameter in module.parameters():
        parameter.data.uniform_(-0.4, 0.4)
    return module


def boxes(*shape: int, seed: int = 1) -> Tensor:
    """(..., 4) in float64, of different sizes, some one in the other."""
    draws = torch.Generator().manual_seed(seed)
    corner = torch.rand(*shape, 2, generator=draws, dtype=torch.double) * 40
    return torch.cat([corner, corner + 3 + torch.rand(*shape, 2, generator=draws, dtype=torch.double) * 40], -1)


def sample(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def state_of(module: nn.Module) -> State:
    """Its parameters as leaves of their own."""
    return {key: value.detach().clone().requires_grad_() for key, value in module.state_dict().items()}


def agree(module: nn.Module, ours: Callable[[], Tensor], theirs: Callable[[State], Tensor], *inputs: Tensor) -> None:
    """Values, and gradients with respect to inputs and parameters."""
    state = state_of(module)
    mine, exact = ours(), theirs(state)
    torch.testing.assert_close(mine, exact, rtol=1e-9, atol=1e-11)
    weight = torch.linspace(-1, 1, mine.numel(), dtype=torch.double).view_as(mine)
    names = [key for key, _ in module.named_parameters()]
    found = torch.autograd.grad((mine * weight).sum(), [*inputs, *module.parameters()], allow_unused=True)
    wanted = torch.autograd.grad((exact * weight).sum(), [*inputs, *(state[key] for key in names)], allow_unused=True)
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)
