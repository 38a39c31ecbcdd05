"""What a method is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Peer:
    """A plain form of one method: ``plain(module, x)`` computes what ``module(x)`` does, with the parameters of ``module``."""

    plain: Callable[[Any, Tensor], Tensor]
    shipped: Callable[[nn.Module, int], nn.Module] | None = None
    """OpenMMLab's module with the parameters of ``module``, of width d, where OpenMMLab ships the method."""
    matrices: int = 0
    """How many N x N matrices, one per head, the plain form holds at once; 0 where its formula has none."""
    dense: int = 0
    """Operations of its projections at each position of a forward pass, in d²; to guess the time, so that small ones are left out."""
    window: int = 0
    """How many copies of the map the plain form makes."""
    method: str = ""
    """Its id in the registry, where it is not the row's name."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters on top of the registry's."""
    same: bool = False
    """The plain form is the method's own code but for names, so that a ratio of 1 is all there is to expect."""
    exact: bool = True
    """Both sides draw the same random numbers."""
