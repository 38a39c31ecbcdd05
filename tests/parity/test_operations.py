"""What every method computes: operations to the last one, their growth with the map, and no matrix larger than needed."""

from __future__ import annotations

import re
from functools import cache
from math import isqrt, log

import pytest
import torch
from cases import CASES, METHODS, PROVEN, Work, counting, run, subject
from proofs import PROOFS
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from harness.catalog import Method


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


SYMBOLS = {"h": 4, "k": 4, "T": 4, "S": 4, "K": 32, "P": 64, "n": 4, "r": 16, "e": 2, "L": 1, "M": 10**6}
"""What the registry's formulas call the sizes that are no size of the map: of the order of their defaults."""


def evaluated(formula: str, n: int, d: int) -> float:
    """The value of ``O(...)`` at n positions of a square map and d channels."""
    depth, end = 1, 2
    while depth:
        depth += {"(": 1, ")": -1}.get(formula[end], 0)
        end += 1
    tokens = re.findall(r"log|[A-Za-z]|\d+|[²+/()]", formula[2 : end - 1])
    assert "".join(tokens) == formula[2 : end - 1].replace(" ", ""), "a sign that is not understood"
    text = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        product = before and before not in "+/(log" and token not in "²+/)"
        text += ("*" if product else "") + {"²": "**2", "log": "log"}.get(token, token)
    text = re.sub(r"log\*?([A-Z])", r"log(\1)", text)
    # the contract draws as many regions as a map has rows
    sizes = {"N": n, "d": d, "C": d, "H": isqrt(n), "W": isqrt(n), "R": isqrt(n), **SYMBOLS}
    return eval(text, {"log": log}, sizes)


def test_formulas_are_read_as_they_are_meant():
    assert evaluated("O(Nd + d²)", 100, 3) == 309
    assert evaluated("O(Nd + Nd²/(r e²)), e the extent", 64, 4) == 64 * 4 + 64 * 16 / (16 * 4)
    assert evaluated("O(N(P + N/P)C + NC²)", 128, 2) == 128 * (64 + 2) * 2 + 128 * 4
    assert evaluated("O(N²d + Nd²) per layer", 10, 3) == 390
    assert evaluated("O(Nd + N log N)", 100, 1) == 100 + 100 * log(100)


def work_of(name: str, n: int, d: int) -> float:
    """The operations, and reading the map, which is all that methods without products do."""
    slot = CASES[name][0]
    # regions are as many as a map has rows; their features are read at points whose number is given
    read = {"masking": n, "relation": isqrt(n) * d, "duplicate_removal": isqrt(n) * d, "region_features": 0}.get(slot, n * d)
    return PROOFS[name].flops(d, n) + (SYMBOLS["h"] * n * n if name == "t5-relative-pe" else read)


def counted_as(method: Method) -> str:
    """A method that is not its plugin as that is stands for itself."""
    return method.id if method.id in CASES else next(iter(method.slots.values())).plugin


COUNTED = [m for m in METHODS.values() if m.complexity and counted_as(m) in PROVEN]


@pytest.mark.parametrize("method", COUNTED, ids=lambda method: method.id)
def test_the_registry_prints_the_growth_of_the_operations(method):
    """In N and in d, projections included: over ten powers of ten both are proportional, up to a factor."""
    slot, name = next(iter(method.slots)), counted_as(method)
    # the operations of what a pose regressor is made of are stated at its width
    fixed = slot in ("encoder_attention", "position_encoding", "attention_loss", "masking")
    widths = [32] if fixed else [2**power for power in range(4, 31, 2)]
    ratios = [work_of(name, n, d) / evaluated(method.complexity, n, d) for n in (4**power for power in range(4, 21, 2)) for d in widths]
    assert max(ratios) < 200 * min(ratios)


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
