"""Marks: parameters of a module that are trained with another learning rate or weight decay than the schedule's.

Importing this module imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

TRAINING = {
    "lr_mult": "learning rate of the query and key projections, as a multiple of the schedule's; 0 keeps them as they start",
    "decay_mult": "weight decay of the query and key projections, as a multiple of the schedule's",
}
"""Options of every plugin that names its ``query_key``, and what they mean; both are 1 by default."""


@dataclass(frozen=True)
class Mark:
    """Parameters of a module that are trained apart from the rest."""

    names: tuple[str, ...]
    """Parameters, or modules that hold them, as the module calls them."""
    lr_mult: float
    decay_mult: float


def mark(module: nn.Module, *names: str, lr_mult: float = 1.0, decay_mult: float = 1.0) -> None:
    """Have parameters of ``module`` trained with another learning rate or weight decay than the schedule's.

    A plugin calls it at the end of its constructor: ``mark(self, "query", "key", decay_mult=0)``. The mark belongs to the module
    and is copied with it. Several marks of a parameter multiply.

    Args:
        names: parameters, or modules whose parameters are meant; relative to ``module``.
        lr_mult: times the schedule's learning rate, in every step of it.
        decay_mult: times the schedule's weight decay (which AdamW multiplies by the learning rate besides).

    Raises:
        ValueError: a name without parameters, or a multiple that is no finite number from 0 on.
    """
    for what, value in (("lr_mult", lr_mult), ("decay_mult", decay_mult)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"{what} is {value!r}; it must be a number from 0 on")
    own = [name for name, _ in module.named_parameters()]
    for name in names:
        if not any(_lies_in(parameter, name) for parameter in own):
            raise ValueError(f"{type(module).__name__} has no parameter '{name}' to be marked; it has {', '.join(own) or 'none'}")
    module.__dict__["parameter_marks"] = (*marks(module), Mark(names, lr_mult, decay_mult))


def marks(module: nn.Module) -> tuple[Mark, ...]:
    """The marks of a module itself, not of those inside it."""
    found: tuple[Mark, ...] = module.__dict__.get("parameter_marks", ())
    return found


def multipliers(model: nn.Module) -> dict[nn.Parameter, tuple[float, float]]:
    """Each marked parameter inside a model -> (``lr_mult``, ``decay_mult``)."""
    found: dict[nn.Parameter, tuple[float, float]] = {}
    for module in model.modules():
        for entry in marks(module):
            for name, parameter in module.named_parameters():
                if any(_lies_in(name, marked) for marked in entry.names):
                    rate, decay = found.get(parameter, (1.0, 1.0))
                    found[parameter] = rate * entry.lr_mult, decay * entry.decay_mult
    return found


def _lies_in(parameter: str, name: str) -> bool:
    return parameter == name or parameter.startswith(f"{name}.")
