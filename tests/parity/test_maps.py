"""The attention map of every method: one way to obtain it, of the documented shape, free for those who do not ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import CASES, METHODS, PROVEN, counting, run, subject
from proofs import PROOFS
from proofs.proof import D, H, W
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness import slots

B = 2
MAPS = [name for name in PROVEN if PROOFS[name].has_map]


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


class Recorder:
    """An observer that asks for everything, once for each time it is offered."""

    def __init__(self) -> None:
        self.offers: list[dict[str, Tensor]] = []

    def __call__(self, _module: nn.Module, values: dict[str, Any]) -> None:
        self.offers.append({name: slots.value_of(value) for name, value in values.items() if name not in ("keys", "queries")})


def built(name: str) -> tuple[nn.Module, tuple[Any, ...]]:
    """A module in evaluation with no parameter at a special value, and inputs of two images."""
    case = subject(name, D)
    return case.module(), case.inputs(batch=B, size=(H, W))


def observe(module: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    recorder = Recorder()
    with slots.observing(recorder):
        output = run(module, inputs)
    return output, recorder.offers


def test_every_wrapped_class_has_its_map_or_none_to_have():
    wrapped = {m.id for m in METHODS.values() if m.state == "wraps"}
    assert wrapped - set(MAPS) == {"aspp-deeplabv3", "fixed-sine-2d-pe"}


@pytest.mark.parametrize("name", MAPS)
def test_map_has_the_documented_shape_and_changes_nothing(name):
    module, inputs = built(name)
    plain = run(module, inputs)
    watched, offers = observe(module, inputs)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    assert len(offers) == PROOFS[name].times
    for offer, shapes in zip(offers, PROOFS[name].shapes, strict=True):
        assert {key: tuple(value.shape) for key, value in offer.items()} == {
            key: (PROOFS[name].sets, *shape) for key, shape in shapes.items()
        }
        assert all(value.isfinite().all() for value in offer.values())
        sums(name, offer, 1e-5)


def sums(name: str, offer: dict[str, Tensor], tolerance: float) -> None:
    """Rows over the keys, maps over the positions."""
    if PROOFS[name].not_one:
        return
    for key, axes in (("attention", (3,)), ("map", (2, 3))):
        if key in offer:
            assert (offer[key].sum(axes) - 1).abs().max() < tolerance


@pytest.mark.parametrize("name", [name for name in PROVEN if CASES[name][0] != "masking"])
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
    assert bool(offered) == PROOFS[name].has_map
    assert not any(isinstance(values.get("attention"), Tensor) for values in offered)


@pytest.mark.parametrize("name", MAPS)
def test_map_in_half_precision(name):
    module, inputs = built(name)
    with torch.autocast("cpu", torch.bfloat16):
        _, offers = observe(module, inputs)
    for offer, shapes in zip(offers, PROOFS[name].shapes, strict=True):
        assert {key: tuple(value.shape[1:]) for key, value in offer.items()} == shapes
        assert all(value.isfinite().all() for value in offer.values())
        sums(name, {key: value.float() for key, value in offer.items()}, 1e-2)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", [name for name in MAPS if CASES[name][0] != "detector"])  # whose maps are a tuple, which is not carried
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
