"""Every plugin that a method of the registry puts into a slot, and how it is run: shared by the tests over all methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from proofs import PROOFS
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from harness.catalog import Filling, load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.engine.cost import CPU_ATTENTION
from harness.plugin_tools.probes import tensors
from harness.plugin_tools.subject import Subject

METHODS = {m.id: m for m in load_catalog().methods.values() if m.state != "planned"}

FILES = discover()


def _cases() -> dict[str, tuple[str, Filling]]:
    """Methods by name; a method of several slots is its plugins, which other methods with the same parameters share."""
    found = {method.id: (slot, filling) for method in METHODS.values() if len(method.slots) == 1 for slot, filling in method.slots.items()}
    for method in METHODS.values():
        for slot, filling in method.slots.items():
            if len(method.slots) > 1 and found.setdefault(filling.plugin, (slot, filling))[1].params != filling.params:
                found[f"{method.id}/{filling.plugin}"] = (slot, filling)
    return found


CASES = _cases()

PROVEN = [name for name in CASES if name in PROOFS]
"""What the tests run over; ``test_every_method`` says what the others lack."""


def subject(name: str, channels: int = 16) -> Subject:
    """A case with its parameters; ``channels`` wide where the slot leaves that open."""
    slot, filling = CASES[name]
    load_plugins({filling.plugin}, FILES)
    made = Subject(filling.plugin, slot, {**filling.params, **(PROOFS[name].sized if name in PROOFS else {})})
    made.channels = channels
    return made


def run(module: Any, inputs: tuple[Any, ...]) -> list[Tensor]:
    """All tensors of the output."""
    return list(tensors(module(*inputs)))


class Work(TorchDispatchMode):
    """What a forward pass does, counted inside :func:`counting`."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        """Of convolutions, matrix products and fused attention; a multiply-add is two."""
        self.written = 0
        """Numbers that all operations return."""
        self.largest = 0
        """Numbers in the largest tensor made."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self.written += value.numel()
                self.largest = max(self.largest, value.numel())
        return result


@contextmanager
def counting() -> Iterator[Work]:
    """Count the work of the forward passes inside the block, without gradients."""
    work = Work()
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as flops, work:
        yield work
    work.flops = flops.get_total_flops()
