"""The attention losses are the authors' methods: values, gradients, parameters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from harness import slots
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.slots import AttentionState

LAYERS, B, HEADS, N, WIDTH = 3, 2, 4, 5, 8


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    load_plugins({"qk-alignment-loss"}, discover())


@pytest.fixture
def states() -> list[AttentionState]:
    torch.manual_seed(0)
    shape = (B, HEADS, N, WIDTH)
    return [AttentionState(torch.randn(shape).requires_grad_(), torch.randn(shape).requires_grad_()) for _ in range(LAYERS)]


def closed_form(states: list[AttentionState], weight: float) -> Tensor:
    """Loops over layers, images and heads; the plain norm of the difference of the means, in float64."""
    total = 0
    for state in states:
        for b in range(B):
            for a in range(HEADS):
                q, k = state.q[b, a].double(), state.k[b, a].double()
                difference = sum(q[i] for i in range(N)) / N - sum(k[j] for j in range(N)) / N
                total = total + torch.sqrt((difference * difference).sum())
    return weight * total / (LAYERS * B * HEADS)


def test_every_loss_has_a_proof():
    methods = load_catalog().methods.values()
    assert {m.slots["attention_loss"].plugin for m in methods if "attention_loss" in m.slots} == {"qk-alignment-loss"}


@pytest.mark.parametrize("params", [{}, {"weight": 2.5}])
def test_equals_the_closed_form(states, params):
    loss = slots.build("qk-alignment-loss", params)
    value = loss(states)
    expected = closed_form(states, params.get("weight", 0.1))
    assert abs(value - expected) <= 1e-5 * expected
    leaves = [tensor for state in states for tensor in (state.q, state.k)]
    for ours, exact in zip(torch.autograd.grad(value, leaves), torch.autograd.grad(expected, leaves), strict=True):
        assert (ours - exact).norm() <= 1e-5 * exact.norm()
        assert exact.norm() > 0  # no side is detached


def test_parameters_and_degenerate_states(states):
    loss = slots.build("qk-alignment-loss", {})
    assert not list(loss.parameters())
    aligned = [AttentionState(state.q, state.q.flip(2)) for state in states]
    value = loss(aligned)
    value.backward()
    assert value < 1e-6
    assert all(torch.isfinite(state.q.grad).all() for state in states)


def test_only_the_means_count(states):
    """Moving tokens about their mean changes nothing; moving all queries by v changes it like its norm."""
    loss = slots.build("qk-alignment-loss", {"weight": 1.0})
    spread = [AttentionState(2 * s.q - s.q.mean(2, keepdim=True), s.k) for s in states]
    torch.testing.assert_close(loss(spread), loss(states))
    shifted = [AttentionState(s.q + 3.0, s.q) for s in states]
    torch.testing.assert_close(loss(shifted), torch.tensor(3.0 * WIDTH**0.5))
