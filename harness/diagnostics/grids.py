"""Where the positions of attention modules lie in the image."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn


def plugins(model: nn.Module) -> list[nn.Module]:
    """Plugins inside a model, outer ones first: registered classes know their name."""
    return [module for module in model.modules() if getattr(type(module), "plugin_name", None)]


def fitting(count: int, height: int, width: int) -> tuple[int, int] | None:
    """(rows, columns) of ``count`` positions over an area of this aspect ratio; ``None`` where they fill no such grid."""
    rows = round(math.sqrt(count * height / width))
    if rows == 0 or count % rows or abs(count // rows - rows * width / height) >= 1:
        return None
    return rows, count // rows


class Grids:
    """The grid of each plugin's input, which its parts share; for a plugin of tokens, the network input's aspect ratio.

    Attributes:
        image: (H, W) of the network's input, where it is known.
    """

    def __init__(self, model: nn.Module):
        self.image: tuple[int, int] | None = None
        # of nested plugins, the inner one comes last and stays
        self._plugin = {id(part): id(plugin) for plugin in plugins(model) for part in plugin.modules()}
        self._inputs: dict[int, tuple[int, ...]] = {}

    def entered(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Forward pre-hook of plugins: remember the (H, W) of a map or the (N,) of tokens."""
        if args and isinstance(args[0], Tensor) and args[0].ndim in (3, 4):
            shape = args[0].shape
            self._inputs[id(module)] = tuple(shape[-2:]) if len(shape) == 4 else (shape[1],)

    def positions(self, module: nn.Module) -> int | None:
        """How many positions the input of a module's plugin has."""
        shape = self._inputs.get(self._plugin.get(id(module), id(module)))
        return None if shape is None else math.prod(shape)

    def of(self, module: nn.Module, count: int) -> tuple[int, int] | None:
        """(rows, columns) of ``count`` positions of a module; ``None`` where that is not known."""
        shape = self._inputs.get(self._plugin.get(id(module), id(module)), ())
        area = shape if len(shape) == 2 else self.image
        return None if area is None else fitting(count, *area)
