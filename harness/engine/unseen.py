"""Parameters that a gradient reaches and that no optimiser moves: made in a pass, or kept where torch does not look for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from harness.texts import few


def notes(model: nn.Module, optimizer: Any) -> list[str]:
    """What a trial says of them after its training; those that are left out on purpose have no gradient.

    Args:
        optimizer: whose ``param_groups`` are what is trained.
    """
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    names = {id(p): name for name, p in (*_hidden(model), *model.named_parameters()) if p.grad is not None and id(p) not in trained}
    if not names:
        return []
    return [
        f"never trained, since the optimiser does not know them: {few([*names.values()], 3)}. Make layers in the constructor, and keep "
        "them as attributes or in an nn.ModuleList"
    ]


def _hidden(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters in Python's lists and dictionaries, which torch does not look into."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") or not isinstance(value, (list, tuple, dict)):
                continue
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                place = f"{path}.{name}[{key!r}]".lstrip(".")
                if isinstance(item, nn.Parameter):
                    yield place, item
                elif isinstance(item, nn.Module):
                    yield from ((f"{place}.{inner}", parameter) for inner, parameter in item.named_parameters())
