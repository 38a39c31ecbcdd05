"""The attention map of every method: one way to obtain it, of the documented shape, free for those who do not ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import CASES, METHODS, counting, run, subject
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness import slots

B, H, W, D = 2, 8, 16, 16
N = H * W
PAIRS = {"attention": (1, N, N), "q": (1, N, D // 2), "k": (1, N, D // 2)}
ENCODER = {"attention": (4, N, N), "q": (4, N, 8), "k": (4, N, 8)}
UNARY = {"map": (1, H, W)}
GATES = {"map": (1, H, W), "channel": (D, 1, 1)}

# What a method offers for a map of H x W positions and D channels, without the axis of images.
OFFERS: dict[str, dict[str, tuple[int, ...]]] = {
    "se": {"channel": (D, 1, 1)},
    "cbam": GATES,
    "gather-excite": {"map": (D, H // 2, W // 2)},
    "non-local-embedded-gaussian": PAIRS,
    "non-local-gaussian": {"attention": (1, N, N), "q": (1, N, D), "k": (1, N, D)},
    "non-local-dot-product": {"attention": (1, N, N)},
    "non-local-concatenation": {"attention": (1, N, N)},
    "simplified-non-local": UNARY,
    "gc-block": UNARY,
    "gc-block-mul": UNARY,
    "self-attention-joint": PAIRS,
    "dnl-pairwise-only": PAIRS,
    "dnl-unary-only": UNARY,
    "dnl-add-shared-key": PAIRS | UNARY,
    "dnl-add-disentangled-key": PAIRS | UNARY,
    "psa-polarized-parallel": GATES,
    "psa-polarized-sequential": GATES,
    "psa-polarized-parallel-paper": GATES,
    "psa-polarized-sequential-paper": GATES,
    "lr-net-local-relation": {"neighbours": (D // 8, N, 49), "map": (D // 8, H, W)},
    "gap": UNARY,
    "gem": UNARY,
    "how": UNARY,
    "k-means": {"map": (3, H, W)},
    "otk": {"map": (3, H, W)},
    "slot-attention": {"map": (3, H, W)},
    "vit-cls": {"map": (4, H, W)},
    "cait-class-attention": {"map": (4, H, W)},
    "simpool": UNARY,
    "ocnet": PAIRS,
    "ann": {"attention": (1, N, 110), "q": (1, N, D // 2), "k": (1, 110, D // 2)},
    "emanet": {"attention": (1, N, 64)},
    "ccnet": {"attention": (1, N, N)},
    "isanet": {"attention": (1, N, N)},
    "danet": {"attention": (1, N, N)},
    "ocrnet": {"attention": (1, N, 19)},
    "psanet": {"attention": (2, N // 4, N // 4)},
    "encoder-layer": ENCODER,
    "improved-sn": ENCODER,
    "inv-sqrt-l-scaling": ENCODER,
    "sigma-reparam": ENCODER,
}

NO_MAP = {
    "identity": "nothing is attended to",
    "max-pool": "one position for each channel, another for the next",
    "lse": "another weighting for each channel",
    "aspp-deeplabv3": "convolutions",
    "mst-no-encoder-sa": "the attention is what is left out",
    "learnable-pe": "a position encoding: its effect is in the maps of the encoder's layers",
    "fixed-sine-2d-pe": "a position encoding",
    "t5-relative-pe": "a position encoding",
    "rotary-pe": "a position encoding",
    "qk-alignment-loss": "a loss of the encoder's queries and keys",
    "mspn-multi-scene-posenet": "a convolutional network with linear layers",
    **{name: "chooses tokens by a map it is given" for name, (slot, _) in CASES.items() if slot == "masking"},
}

NOT_ONE = {
    "non-local-dot-product": "products over N, of either sign",
    "non-local-concatenation": "rectified sums over N",
    "cbam": "a gate for each position",
    "gather-excite": "a gate for each position and channel",
    **{name: "a gate for each position" for name in CASES if name.startswith("psa-")},
    "lr-net-local-relation": "what a position receives from all windows, one on average",
    "how": "lengths of the tokens",
    "vit-cls": "the class token keeps the rest",
    "cait-class-attention": "the class token keeps the rest",
}
"""Methods whose weights do not sum to one, and why; their sums are tested with their other properties."""


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


class Recorder:
    """An observer that asks for everything, once for each time it is offered."""

    def __init__(self) -> None:
        self.offers: list[dict[str, Tensor]] = []

    def __call__(self, _module: nn.Module, values: dict[str, Any]) -> None:
        self.offers.append({name: slots.value_of(value) for name, value in values.items() if name != "keys"})


def built(name: str) -> tuple[nn.Module, tuple[Any, ...]]:
    """A module in evaluation with no parameter at a special value, and inputs of two images."""
    case = subject(name, D)
    return case.module(), case.inputs(batch=B, size=(H, W))


def observe(module: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    recorder = Recorder()
    with slots.observing(recorder):
        output = run(module, inputs)
    return output, recorder.offers


def test_every_method_has_its_map_or_a_reason():
    assert sorted([*OFFERS, *NO_MAP]) == sorted(CASES)
    assert set(NOT_ONE) <= set(OFFERS)
    wrapped = {m.id for m in METHODS.values() if m.state == "wraps"}
    assert wrapped - set(OFFERS) == {"aspp-deeplabv3", "fixed-sine-2d-pe"}


@pytest.mark.parametrize("name", OFFERS)
def test_map_has_the_documented_shape_and_changes_nothing(name):
    module, inputs = built(name)
    plain = run(module, inputs)
    watched, offers = observe(module, inputs)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    assert len(offers) == (2 if name == "ccnet" else 1)  # criss-cross attends twice
    for offer in offers:
        assert {key: tuple(value.shape) for key, value in offer.items()} == {key: (B, *shape) for key, shape in OFFERS[name].items()}
        assert all(value.isfinite().all() for value in offer.values())
        sums(name, offer, 1e-5)


def sums(name: str, offer: dict[str, Tensor], tolerance: float) -> None:
    """Rows over the keys, maps over the positions."""
    if name in NOT_ONE:
        return
    for key, axes in (("attention", (3,)), ("map", (2, 3))):
        if key in offer:
            assert (offer[key].sum(axes) - 1).abs().max() < tolerance


@pytest.mark.parametrize("name", [name for name, (slot, _) in CASES.items() if slot != "masking"])
def test_what_nobody_asks_for_is_not_computed(name):
    """Without an observer, and with one that wants nothing, exactly the same is computed: that of test_operations."""
    case = subject(name, D)
    module, inputs = case.build(), case.probe.inputs(D, B, (H, W))
    offered: list[dict[str, Any]] = []
    with counting() as alone:
        run(module, inputs)
    with counting() as watched, slots.observing(lambda _module, values: offered.append(values)):
        run(module, inputs)
    assert (alone.flops, alone.written, alone.largest) == (watched.flops, watched.written, watched.largest)
    assert bool(offered) == (name in OFFERS)
    assert not any(isinstance(values.get("attention"), Tensor) for values in offered)


@pytest.mark.parametrize("name", OFFERS)
def test_map_in_half_precision(name):
    module, inputs = built(name)
    with torch.autocast("cpu", torch.bfloat16):
        _, offers = observe(module, inputs)
    for offer in offers:
        assert {key: tuple(value.shape[1:]) for key, value in offer.items()} == OFFERS[name]
        assert all(value.isfinite().all() for value in offer.values())
        sums(name, {key: value.float() for key, value in offer.items()}, 1e-2)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", OFFERS)
def test_map_under_checkpointing(name, reentrant):
    """The forward pass is seen, once; the backward pass is neither seen nor disturbed, inside the observation or after it."""
    module, inputs = built(name)
    inputs[0].requires_grad_()
    _, expected = observe(module, inputs)
    module(*inputs).square().sum().backward()
    gradient, inputs[0].grad = inputs[0].grad, None
    for inside in (True, False):
        recorder = Recorder()
        with slots.observing(recorder):
            loss = checkpoint(module, *inputs, use_reentrant=reentrant).square().sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        assert len(recorder.offers) == len(expected)
        for offer, wanted in zip(recorder.offers, expected, strict=True):
            assert all(torch.equal(offer[key], wanted[key]) for key in wanted)
        torch.testing.assert_close(inputs[0].grad, gradient)
        inputs[0].grad = None


def test_a_map_under_checkpointing_can_be_trained():
    """A loss of the map reaches the input as it does without."""
    module, inputs = built("ocnet")
    inputs[0].requires_grad_()
    gradients = []
    for call in (module, lambda x: checkpoint(module, x, use_reentrant=False)):
        recorder = Recorder()
        with slots.observing(recorder):
            output = call(*inputs)
        (output.sum() + recorder.offers[0]["attention"].square().sum()).backward()
        gradients.append(inputs[0].grad)
        inputs[0].grad = None
    torch.testing.assert_close(*gradients)


def test_observers_come_and_go():
    """Nested observers all hear; one that raises is removed as well."""
    module, inputs = built("gc-block")
    outer, inner = Recorder(), Recorder()
    with slots.observing(outer):
        with slots.observing(inner):
            module(*inputs)
        with pytest.raises(ZeroDivisionError), slots.observing(lambda _module, _values: 1 / 0):
            module(*inputs)
    module(*inputs)
    assert len(inner.offers) == 1 and len(outer.offers) == 2
