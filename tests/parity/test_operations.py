"""What every method computes: operations to the last one, their growth with the map, and no matrix larger than needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from math import isqrt, log

import pytest
import torch
from cases import CASES, METHODS, Work, counting, names, run, subject
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Formula = Callable[[int, int], int]

D, F, HIDDEN, SCENES, CLASSES = 32, 64, 1024, 3, 19
"""Widths of the encoder's layers, of the pose regressor, and the default of OCRNet."""


def _layer(attention: bool = True) -> Formula:
    """Two per entry of each matrix and token, and 4 N² d for the attention; the encoder's width is D, whatever d is."""
    return lambda d, n: n * 2 * (4 * D * D * attention + 2 * D * F) + n * n * 4 * D * attention


# Multiply-adds times two of one forward pass on one image with d channels (not divided by more than 8) and n positions of a
# square map, counted from the equations: a 1x1 convolution a -> b is 2ab a position, q.k and the sum of values 2 widths a pair.
# Means, maxima, softmax and gates are no matrix products and count nothing.
FLOPS: dict[str, Formula] = {
    # block; p = d / 16 is the bottleneck, d' = d / 2
    "identity": lambda d, n: 0,
    "se": lambda d, n: 4 * d * (d // 16),
    "cbam": lambda d, n: 2 * 4 * d * (d // 16) + 2 * 98 * n,
    "gather-excite": lambda d, n: (18 * d + 4 * d * (d // 16)) * n // 4,
    "non-local-embedded-gaussian": lambda d, n: 4 * d * d * n + 2 * d * n * n,
    "non-local-gaussian": lambda d, n: 2 * d * d * n + 3 * d * n * n,
    "non-local-dot-product": lambda d, n: 4 * d * d * n + d * d * n,
    "non-local-concatenation": lambda d, n: 2 * d * d + (2 * d * d + 4 * d) * n,
    "simplified-non-local": lambda d, n: 2 * d * d + 4 * d * n,
    "gc-block": lambda d, n: 4 * d * (d // 16) + 4 * d * n,
    "gc-block-mul": lambda d, n: 4 * d * (d // 16) + 4 * d * n,
    # the means of queries and keys are projected once an image: 2d²; what a unary term adds, d² more
    "self-attention-joint": lambda d, n: 2 * d * d + 4 * d * d * n + 2 * d * n * n,
    "dnl-pairwise-only": lambda d, n: 2 * d * d + 4 * d * d * n + 2 * d * n * n,
    "dnl-unary-only": lambda d, n: 5 * d * d + 4 * d * n,
    "dnl-add-shared-key": lambda d, n: 3 * d * d + (4 * d * d + 2 * d) * n + 2 * d * n * n,
    "dnl-add-disentangled-key": lambda d, n: 3 * d * d + (4 * d * d + 3 * d) * n + 2 * d * n * n,
    "psa-polarized-parallel": lambda d, n: 4 * d * d + 6 * d * n,
    "psa-polarized-sequential": lambda d, n: 2 * d * d + 3 * d * d // 8 + (d * d + 5 * d) * n,
    "psa-polarized-parallel-paper": lambda d, n: 4 * d * d + 6 * d * n,
    "psa-polarized-sequential-paper": lambda d, n: 4 * d * d + 6 * d * n,
    "lr-net-local-relation": lambda d, n: 49 * (4 * (d // 8) + 2 * (d // 8) ** 2) + (4 * d * (d // 8) + 2 * d * d) * n,
    # pooling; three clusters, references or slots, three rounds, four heads
    "gap": lambda d, n: 0,
    "max-pool": lambda d, n: 0,
    "gem": lambda d, n: 0,
    "lse": lambda d, n: 0,
    "how": lambda d, n: 2 * d * d + 2 * d * n,
    "k-means": lambda d, n: (2 * 3 + 3 * 4 * 3 + 2 * 3) * d * n,
    "otk": lambda d, n: 4 * 3 * d * n,
    "slot-attention": lambda d, n: 3 * 3 * (18 * d * d + 4 * d * max(d, 128)) + 3 * 4 * 3 * d * n,
    "vit-cls": lambda d, n: 6 * d * d + 10 * d + 4 * 4 * d * n,
    "cait-class-attention": lambda d, n: 24 * d * d + 10 * d + 4 * 4 * d * n,
    "simpool": lambda d, n: 4 * d * d + 4 * d * n,
    # context; m = d / 2
    "ocnet": lambda d, n: 7 * d * d * n + 2 * d * n * n,
    "ann": lambda d, n: (7 * d * d + 110 * 2 * d) * n,
    "emanet": lambda d, n: (4 * d * d + (3 * 2 + 1) * 2 * 64 * d) * n,
    "aspp-deeplabv3": lambda d, n: 2 * d * d + (2 + 3 * 18 + 18 * 5) * d * d * n,
    "ccnet": lambda d, n: 2 * (d * d // 2 + 2 * d * d + 2 * isqrt(n) * (d // 4 + 2 * d)) * n,
    "isanet": lambda d, n: (2 * 7 + 4) * d * d * n + 3 * d * n * (64 + n // 64),
    "danet": lambda d, n: (d * d // 2 + 2 * d * d + 4 * d * d) * n + (2 * (d // 8) + 2 * d) * n * n,
    "ocrnet": lambda d, n: CLASSES * 5 * d * d // 2 + (2 + 1.5 + 1 + 4) * d * d * n + CLASSES * 6 * d * n,
    # on the grid of half the sides, n / 4 positions, which reach (isqrt(n) - 1)^2 of a window
    "psanet": lambda d, n: (d * d + 36 * d * d) * n + (d * d // 4 + d * (isqrt(n) - 1) ** 2 + d * d) * (n // 4) + d * (n // 4) ** 2,
    # camera localization
    "encoder-layer": _layer(),
    "improved-sn": _layer(),
    "inv-sqrt-l-scaling": _layer(),
    "sigma-reparam": _layer(),
    "mst-no-encoder-sa": _layer(attention=False),
    "learnable-pe": lambda d, n: 0,
    "fixed-sine-2d-pe": lambda d, n: 0,
    "t5-relative-pe": lambda d, n: 0,
    "rotary-pe": lambda d, n: 0,
    "qk-alignment-loss": lambda d, n: 0,
    "mspn-multi-scene-posenet": lambda d, n: 2 * d * HIDDEN + 2 * HIDDEN * 7 * SCENES + 2 * d * SCENES,
    # masking
    **dict.fromkeys(names("masking"), lambda d, n: 0),
}

MATRIX = {
    "psanet": "its logits are gathered for every pair of the small grid",
    "t5-relative-pe": "a bias for every pair is what it is",
}
"""Methods that make a matrix with an entry for every pair, and why."""


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


def order(name: str) -> float:
    """The power of N that the operations grow with, in the limit."""
    if name == "t5-relative-pe":
        return 2
    formula, n = FLOPS[name], 4**20
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


def test_every_method_states_its_operations():
    assert sorted(FLOPS) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_operations_are_counted_to_the_last_one(name):
    """Three sizes fix a polynomial of second degree in N, so that nothing grows faster unseen."""
    for side, channels in ((8, 16), (16, 16), (24, 16), (8, 32)):
        assert work(name, side, channels).flops == FLOPS[name](channels, side * side)


@pytest.mark.parametrize("name", [name for name in CASES if name != "random-block-wise-masking"])
def test_nothing_grows_faster_than_the_products(name):
    """Also what is no product: the numbers written grow linearly, or like the operations (random blocks: like their draws)."""
    power = max(order(name), 1)
    small, middle, large = (work(name, side).written for side in (8, 16, 24))
    growth = (24 ** (2 * power) - 16 ** (2 * power)) / (16 ** (2 * power) - 8 ** (2 * power))
    assert large - middle <= 1.2 * growth * (middle - small)


@pytest.mark.parametrize("name", [name for name in CASES if name not in MATRIX])
def test_no_matrix_of_all_pairs_on_large_maps(name):
    """The largest tensor grows like the map (criss-cross: like N (H + W)), also where every position meets every other."""
    growth = (48 / 32) ** (3 if name == "ccnet" else 2)
    assert work(name, 48).largest <= 1.01 * growth * work(name, 32).largest


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.complexity], ids=lambda method: method.id)
def test_the_registry_prints_the_same_order(method):
    """What docs/methods.md says."""
    kept = [method.id] if len(method.slots) == 1 else [filling.plugin for filling in method.slots.values()]
    assert bool(re.search(r"N²|N c\)|N / P", method.complexity)) == (max(order(name) for name in kept) == 2)


@pytest.mark.parametrize("name", [name for name in CASES if order(name) == 2 and name not in MATRIX])
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
