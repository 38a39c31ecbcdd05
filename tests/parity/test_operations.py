"""What every method computes: operations to the last one, their growth with the map, and no matrix larger than needed."""

from __future__ import annotations

import re
from functools import cache
from math import log

import pytest
import torch
from cases import METHODS, PROVEN, Work, counting, run, subject
from proofs import PROOFS
from torch import Tensor
from torch.utils.checkpoint import checkpoint


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


def order(name: str) -> float:
    """The power of N that the operations grow with, in the limit; 2 for a matrix of all pairs."""
    if PROOFS[name].matrix:
        return 2
    formula, n = PROOFS[name].flops, 4**20
    return round(2 * log(max(formula(16, 4 * n), 1) / max(formula(16, n), 1), 4)) / 2


@cache
def work(name: str, side: int, channels: int = 16) -> Work:
    """Of one image with a square map."""
    case = subject(name, channels)
    built = case.build()
    torch.manual_seed(1)
    inputs = case.probe.inputs(channels, 1, (side, side))
    with counting() as counted:
        run(built, inputs)
    return counted


@pytest.mark.parametrize("name", PROVEN)
def test_operations_are_counted_to_the_last_one(name):
    """Three sizes fix a polynomial of second degree in N, so that nothing grows faster unseen."""
    for side, channels in ((8, 16), (16, 16), (24, 16), (8, 32)):
        assert work(name, side, channels).flops == PROOFS[name].flops(channels, side * side)


@pytest.mark.parametrize("name", [name for name in PROVEN if not PROOFS[name].draws])
def test_nothing_grows_faster_than_the_products(name):
    """Also what is no product: the numbers written grow linearly, or like the operations."""
    power = max(order(name), 1)
    small, middle, large = (work(name, side).written for side in (8, 16, 24))
    growth = (24 ** (2 * power) - 16 ** (2 * power)) / (16 ** (2 * power) - 8 ** (2 * power))
    assert large - middle <= 1.2 * growth * (middle - small)


@pytest.mark.parametrize("name", [name for name in PROVEN if not PROOFS[name].matrix])
def test_no_matrix_of_all_pairs_on_large_maps(name):
    """The largest tensor grows like the map, or as it is said to, also where every position meets every other."""
    assert PROOFS[name].largest < 2
    assert work(name, 48).largest <= 1.01 * (48 / 32) ** (2 * PROOFS[name].largest) * work(name, 32).largest


PARTS = {
    method.id: [method.id] if len(method.slots) == 1 else [filling.plugin for filling in method.slots.values()]
    for method in METHODS.values()
    if method.complexity
}
"""Method -> the cases it is made of."""


@pytest.mark.parametrize("method", [method for method, parts in PARTS.items() if set(parts) <= set(PROVEN)])
def test_the_registry_prints_the_same_order(method):
    """What docs/methods.md says."""
    assert bool(re.search(r"N²|N c\)|N / P", METHODS[method].complexity)) == (max(map(order, PARTS[method])) == 2)


@pytest.mark.parametrize("name", [name for name in PROVEN if order(name) == 2 and not PROOFS[name].matrix])
def test_large_maps_in_half_precision_and_under_checkpointing(name):
    """Other kernels are chosen from 1024 positions on; they too bear autocast and a second pass."""
    case = subject(name)
    module, (x, *rest) = case.module(), case.inputs(batch=1, size=(32, 40))
    x = (0.1 * x).requires_grad_()  # small logits, whose rounding changes little

    def gradient(y: Tensor) -> Tensor:
        (grad,) = torch.autograd.grad(y.float().square().sum(), x)
        return grad

    plain = module(x, *rest)
    expected = gradient(plain)
    torch.testing.assert_close(gradient(checkpoint(module, x, *rest, use_reentrant=False)), expected)
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x, *rest)
    assert (half.float() - plain).norm() <= 0.05 * plain.norm()
    assert (gradient(half) - expected).norm() <= 0.05 * expected.norm()
