"""The query-key alignment loss."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import slots
from harness.slots import AttentionState
from proofs.losses import HEADS, LAYERS, B, N, states
from proofs.proof import EquationProof


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


def equals_the_closed_form() -> None:
    for params in ({}, {"weight": 2.5}):
        given = states()
        value = slots.build("qk-alignment-loss", params)(given)
        expected = closed_form(given, params.get("weight", 0.1))
        assert abs(value - expected) <= 1e-5 * expected
        leaves = [tensor for state in given for tensor in (state.q, state.k)]
        for ours, exact in zip(torch.autograd.grad(value, leaves), torch.autograd.grad(expected, leaves), strict=True):
            assert (ours - exact).norm() <= 1e-5 * exact.norm()
            assert exact.norm() > 0  # no side is detached


PROOFS = {
    "qk-alignment-loss": EquationProof(
        equation=equals_the_closed_form, flops=lambda d, n: 0, offers="a loss of the encoder's queries and keys"
    )
}
