"""Gradients of every method against finite differences in float64: what is fused or re-ordered by hand is differentiated right."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from cases import PROVEN, subject
from proofs import PROOFS
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_unflatten

from harness.plugin_tools.probes import tensors

SIZE = (3, 4)


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


def double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def opened(value: Any) -> Any:
    """Dataclasses (positions, attention states) as dicts, so that their tensors are found."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return type(value)(opened(item) for item in value)
    return value


def closed(value: Any, like: Any) -> Any:
    if dataclasses.is_dataclass(like):
        return type(like)(**value)
    if isinstance(like, list | tuple):
        return type(like)(closed(item, original) for item, original in zip(value, like, strict=True))
    return value


@pytest.mark.parametrize("name", [name for name in PROVEN if not PROOFS[name].no_gradients])
def test_gradients_are_finite_differences(name):
    case = subject(name)
    module: nn.Module = case.module().double()
    inputs = case.inputs(batch=2, size=SIZE)
    leaves, form = tree_flatten(opened(inputs))
    leaves = [double(leaf) for leaf in leaves]
    moving = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    parameters = {key: value for key, value in module.named_parameters() if value.requires_grad}

    def outputs(*values: Tensor) -> tuple[Tensor, ...]:
        arguments = list(leaves)
        for i, value in zip(moving, values, strict=False):
            arguments[i] = value
        given = dict(zip(parameters, values[len(moving) :], strict=True))
        result = functional_call(module, given, closed(tree_unflatten(arguments, form), inputs))
        return tuple(tensors(result))

    variables = [leaves[i].requires_grad_() for i in moving] + [value.detach().clone().requires_grad_() for value in parameters.values()]
    assert variables
    assert torch.autograd.gradcheck(outputs, variables, fast_mode=True, rtol=1e-3, atol=1e-5)
