"""What is proven of a method of any slot; a slot's folder adds what its equation is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Offer = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]

H, W, D = 8, 16, 16
"""The map of positions and the channels for which :attr:`Proof.offers` is stated."""
N = H * W
PAIRS: Shapes = {"attention": (1, N, N), "q": (1, N, D // 2), "k": (1, N, D // 2)}
UNARY: Shapes = {"map": (1, H, W)}
GATES: Shapes = {"map": (1, H, W), "channel": (D, 1, 1)}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What every method states of itself, each checked by a test over all methods; a reason is a few words."""

    flops: Callable[[int, int], int]
    """(d, n) -> operations of one forward pass on one image with d channels (not divided by more than 8) and n positions of a
    square map, counted from the equations: multiply-adds times two. A 1x1 convolution a -> b is 2ab a position, q.k and the sum
    of values 2 widths a pair; means, maxima, softmax and gates are no matrix products and count nothing."""
    offers: Shapes | list[Shapes] | str
    """What it offers to an observer, without the axis of images, each time or one time after the other, or why nothing."""
    sets: int = 2
    """What that axis counts for two images: the images, unless a slot takes one at a time or counts classes or regions."""
    rebuilt: Callable[[Any, Tensor, list[Offer]], Tensor] | str = ""
    """(module, input, offers) -> the output, made from the map and the method's last layers: the map is the one it used. Or which
    test shows that."""
    not_one: str = ""
    """Why its weights do not sum to one."""
    times: int = 1
    """How often it offers in one pass."""
    no_gradients: str = ""
    """Why its gradients are not compared with finite differences."""
    matrix: str = ""
    """Why it makes a matrix with an entry for every pair of positions."""
    largest: float = 1.0
    """The power of n with which its largest tensor grows."""
    draws: bool = False
    """Whether what it writes depends on what it draws, so that no growth can be stated."""

    sized: Mapping[str, Any] = field(default_factory=dict)
    """Parameters with which it is run by the tests over all methods, where its own are those of a large model."""

    @property
    def shapes(self) -> list[Shapes]:
        """What it offers, one entry for each time."""
        assert not isinstance(self.offers, str)
        return self.offers if isinstance(self.offers, list) else [self.offers] * self.times

    @property
    def has_map(self) -> bool:
        """Whether it offers anything."""
        return not isinstance(self.offers, str)


@dataclass(frozen=True, kw_only=True)
class EquationProof(Proof):
    """A method whose equation has a comparison of its own."""

    equation: Callable[[], None]
    """Asserts that the method is its equation, or OpenMMLab's module with the same weights; values and gradients."""
