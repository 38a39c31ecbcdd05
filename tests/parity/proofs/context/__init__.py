"""How a context module is compared with mmseg's head of the same weights, or with its equation position by position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harness import slots
from proofs.proof import EquationProof

C = 16
NORM = {"norm_cfg": {"type": "BN"}, "act_cfg": {"type": "ReLU"}}


@dataclass(frozen=True, kw_only=True)
class ContextProof(EquationProof):
    """Beside :class:`~proofs.proof.EquationProof`."""

    params: Callable[[int, int], int]
    """Parameter count as a function of the width c and the inner width m = c // 2."""
    small: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that fit maps of a few positions."""
    rows: tuple[int, ...] = (1, 24, 24)
    """Shape of the map on 4x6 positions, without the axis of images."""
    places: str = ""
    """Why permuting the positions does more than permute the output."""


def build(name: str, channels: int = C, **params: Any) -> nn.Module:
    """A plugin in float64 with nothing left at zero, so that every term counts."""
    from proofs import of

    torch.manual_seed(0)
    proof = of("context").get(name)
    module = slots.build(name, {**(proof.small if proof else {}), **params}, channels=channels).double()
    for parameter in module.parameters():
        parameter.data.uniform_(-0.4, 0.4)
    for norm in (m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.5, 1.5)
    return module.eval()


def image(height: int = 5, width: int = 6) -> Tensor:
    """The same two images every time."""
    return torch.randn(2, C, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.double)


def agree(ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Outputs and gradients with respect to all inputs are equal."""
    mine = [x.clone().requires_grad_() for x in inputs]
    other = [x.clone().requires_grad_() for x in inputs]
    y, z = ours(*mine), theirs(*other)
    torch.testing.assert_close(y, z, rtol=1e-9, atol=1e-11)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    for a, b in zip(torch.autograd.grad((y * weight).sum(), mine), torch.autograd.grad((z * weight).sum(), other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def copied(module: nn.Module, source: nn.Module) -> nn.Module:
    """``module`` with the parameters of ``source``."""
    module.double().load_state_dict(source.state_dict())
    return module.eval()


def head(cls: str, **kwargs: Any) -> nn.Module:
    """A decode head of mmseg."""
    from mmengine.registry import MODELS

    config = {"type": f"mmseg.{cls}", "in_channels": C, "channels": C, "num_classes": 3, "norm_cfg": {"type": "BN"}}
    return MODELS.build({**config, "dropout_ratio": 0, **kwargs}).double().eval()


def in_our_head(name: str, **kwargs: Any) -> nn.Module:
    """The plugin in a ContextHead, stripped with ``kwargs`` of what the mmseg head does not have."""
    from mmengine.registry import MODELS

    config = {"type": "ContextHead", "plugin": name, "params": {}, "level_channels": [C], "in_channels": C, "channels": C}
    built = MODELS.build({**config, "num_classes": 3, "norm_cfg": {"type": "BN"}, "dropout_ratio": 0, **kwargs}).double()
    built.context = build(name)
    return built.eval()


def unbatched(equation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """An equation of one image, for each of several."""
    return lambda x: torch.stack([equation(one[None])[0] for one in x])
