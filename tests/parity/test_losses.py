"""The attention losses are the authors' methods: parameters and invariants."""

from __future__ import annotations

import pytest
import torch
from proofs.losses import WIDTH, states

from harness import slots
from harness.catalog.plugins import discover, load_plugins
from harness.slots import AttentionState


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    load_plugins({"qk-alignment-loss"}, discover())


def test_parameters_and_degenerate_states():
    loss, given = slots.build("qk-alignment-loss", {}), states()
    assert not list(loss.parameters())
    aligned = [AttentionState(state.q, state.q.flip(2)) for state in given]
    value = loss(aligned)
    value.backward()
    assert value < 1e-6
    assert all(torch.isfinite(state.q.grad).all() for state in given)


def test_only_the_means_count():
    """Moving tokens about their mean changes nothing; moving all queries by v changes it like its norm."""
    loss, given = slots.build("qk-alignment-loss", {"weight": 1.0}), states()
    spread = [AttentionState(2 * s.q - s.q.mean(2, keepdim=True), s.k) for s in given]
    torch.testing.assert_close(loss(spread), loss(given))
    shifted = [AttentionState(s.q + 3.0, s.q) for s in given]
    torch.testing.assert_close(loss(shifted), torch.tensor(3.0 * WIDTH**0.5))
