"""A plugin with its parameters, built and run as its slot does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from harness import slots
from harness.plugin_tools.probes import PROBES, Probe, tensors

SIZE = (14, 14)
"""Rows and columns of the maps that plugins are given."""


class Violation(Exception):
    """The contract is broken; the message says how."""


class Skip(Exception):
    """The check does not apply."""


@dataclass
class Subject:
    """A plugin with its parameters, and how its slot is exercised."""

    plugin: str
    slot: str
    params: dict[str, Any]
    probe: Probe = field(init=False)
    channels: int = 64

    def __post_init__(self) -> None:
        self.probe = PROBES[self.slot]
        self.channels = getattr(slots.registry().module_dict.get(self.plugin), "contract_channels", self.channels)

    def build(self, seed: int = 0) -> Any:
        """A fresh instance in eval mode; the same weights every time, unless with another seed."""
        torch.manual_seed(seed)
        built = slots.build(self.plugin, self.params, **self.probe.context(self.channels))
        return built.eval() if isinstance(built, nn.Module) else built

    def module(self) -> nn.Module:
        """A fresh instance whose parameters are moved a little: a zero at initialisation would hide what lies behind it."""
        built = self.build()
        if not isinstance(built, nn.Module):
            raise Skip("not a module")
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        return built

    def inputs(self, batch: int = 2, size: tuple[int, int] = SIZE) -> tuple[Any, ...]:
        """The same random inputs every time."""
        torch.manual_seed(1)
        return self.probe.inputs(self.channels, batch, size)

    def run(self, module: Any, inputs: tuple[Any, ...], seed: int = 2) -> Any:
        """The output, whose form is checked."""
        torch.manual_seed(seed)
        output = module(*inputs)
        if wrong := self.probe.expected(inputs, output):
            raise Violation(wrong)
        if any(not t.isfinite().all() for t in tensors(output)):
            raise Violation("the output is not finite")
        return output

    def declares(self, name: str, default: bool) -> bool:
        """A flag of the plugin, see :func:`harness.slots.attention_method`."""
        return getattr(self.build(), name, default)
