"""Every encoder layer is the authors' method: values, gradients, parameters, invariants."""

from __future__ import annotations

import math
from typing import Any

import proofs
import pytest
import torch
from cases import CASES
from proofs.encoder import full
from proofs.encoder.layer import DEPTH
from torch import Tensor, nn

from harness import slots
from harness.catalog.plugins import discover, load_plugins
from harness.slots import Position

HEADS = 4
SIZES = {"heads": HEADS, "depth": DEPTH, "dropout": 0.0}


PROOFS = proofs.of("encoder")
VARIANTS = [(name, options) for name, proof in PROOFS.items() for options in ({}, *proof.variants)]


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    load_plugins({CASES[name][1].plugin for name in PROOFS}, discover())


def build(name: str, dim: int = 16, ffn_dim: int = 12, **options: Any) -> nn.Module:
    """The layer in evaluation, with parameters away from their special initial values (zeros, ones)."""
    torch.manual_seed(0)
    module = slots.build(CASES[name][1].plugin, options, dim=dim, ffn_dim=ffn_dim, **SIZES).eval()
    with torch.no_grad():
        for value in module.parameters():
            value += 0.1 * torch.randn_like(value)
    return module


def sample(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_equals_the_formula(name, options, biased):
    module = build(name, **options)
    x = sample(2, 6, 16).requires_grad_()
    bias = sample(HEADS, 6, 6, seed=4) if biased else None
    weights = sample(2, 6, 16, seed=2)
    out = module(x, Position(additive=sample(6, 16, seed=3), bias=bias))
    (out * weights).sum().backward()

    names = [key for key, _ in module.named_parameters()]
    state = {key: value.detach().double().requires_grad_(key in names) for key, value in module.state_dict().items()}
    slow_x = x.detach().double().requires_grad_()
    position = Position(additive=sample(6, 16, seed=3).double(), bias=None if bias is None else bias.double())
    expected = PROOFS[name].formula(slow_x, position, state, heads=HEADS)
    (expected * weights.double()).sum().backward()

    assert (out - expected).norm() <= 1e-5 * expected.norm()
    ours = [x.grad, *(p.grad for p in module.parameters())]
    theirs = [slow_x.grad, *(state[key].grad for key in names)]
    total = max(g.norm() for g in theirs)
    for key, mine, exact in zip(["x", *names], ours, theirs, strict=True):
        # A gradient that is zero in exact arithmetic (the keys' bias under a softmax) has no scale of its own.
        assert (mine - exact).norm() <= 1e-5 * max(exact.norm(), 0.01 * total), key


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("size", [(64, 96), (256, 256)])
def test_parameter_count(name, size):
    module = slots.build(CASES[name][1].plugin, {}, dim=size[0], ffn_dim=size[1], **SIZES)
    assert sum(p.numel() for p in module.parameters()) == PROOFS[name].params(*size)


def test_published_size():
    """d = f = 256, as in the authors' configurations."""
    assert full(256, 256) == 395_776


@pytest.mark.parametrize("name", [name for name in PROOFS if PROOFS[name].attends])
def test_attention_is_offered_and_its_rows_sum_to_one(name):
    module, seen = build(name), []
    x, position = sample(2, 6, 16), Position(bias=sample(HEADS, 6, 6, seed=4))
    with slots.observing(lambda _, values: seen.append({key: slots.value_of(value) for key, value in values.items()})):
        observed = module(x, position)
    assert torch.equal(observed, module(x, position))
    (values,) = seen
    assert values["attention"].shape == (2, HEADS, 6, 6)
    torch.testing.assert_close(values["attention"].sum(-1), torch.ones(2, HEADS, 6))
    logits = values["q"] @ values["k"].mT / 2 + position.bias  # d_h = 4
    torch.testing.assert_close(values["attention"], logits.softmax(-1))


def test_without_position_tokens_may_be_permuted():
    module, x, order = build("encoder-layer"), sample(2, 6, 16), torch.randperm(6)
    torch.testing.assert_close(module(x[:, order], Position()), module(x, Position())[:, order])


def test_no_token_sees_another_without_self_attention():
    """Nor does the position reach the tokens."""
    module, x = build("mst-no-encoder-sa"), sample(2, 6, 16)
    alone = torch.cat([module(x[:, i : i + 1], Position()) for i in range(6)], dim=1)
    torch.testing.assert_close(module(x, Position(additive=sample(6, 16, seed=3))), alone)


def test_position_reaches_queries_and_keys_but_no_values():
    """With zero query and key weights a position cannot matter."""
    module, x = build("encoder-layer"), sample(2, 6, 16)
    position = Position(additive=sample(6, 16, seed=3))
    assert not torch.allclose(module(x, position), module(x, Position()))
    with torch.no_grad():
        module.attention.query.weight.zero_()
        module.attention.key.weight.zero_()
    torch.testing.assert_close(module(x, position), module(x, Position()))


def test_q_k_and_v_start_like_one_packed_matrix():
    """Xavier's bound of the (3d, d) matrix of the authors' multi-head attention is sqrt(6 / 4d)."""
    layer = slots.build("encoder-layer", {}, dim=64, ffn_dim=64, **SIZES)
    bound = math.sqrt(6 / (4 * 64))
    for linear in (layer.attention.query, layer.attention.key, layer.attention.value):
        assert 0.98 * bound < linear.weight.abs().max() <= bound
    assert layer.attention.out.weight.abs().max() > 1.3 * bound


def linears(layer: nn.Module) -> list[nn.Linear]:
    return [module for module in layer.modules() if isinstance(module, nn.Linear)]


def spectral_norms(layer: nn.Module) -> Tensor:
    return torch.stack([torch.linalg.matrix_norm(linear.weight.detach().double(), 2) for linear in linears(layer)])


@pytest.mark.parametrize(("name", "learned"), [("improved-sn", False), ("sigma-reparam", True)])
def test_spectral_norm(name, learned):
    """Equal to gamma, before and after training steps: gamma learned, or that of the first matrix for ever."""
    torch.manual_seed(0)
    plain = slots.build("encoder-layer", {}, dim=16, ffn_dim=12, **SIZES)
    torch.manual_seed(0)
    layer = slots.build(name, {}, dim=16, ffn_dim=12, **SIZES)
    first = spectral_norms(plain)
    for ours, theirs in zip(linears(layer), linears(plain), strict=True):
        torch.testing.assert_close(ours.weight, theirs.weight)  # nothing changes at the start

    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05)
    for step in range(30):
        optimizer.zero_grad()
        layer(sample(2, 6, 16, seed=step), Position()).square().mean().backward()
        optimizer.step()
    for _ in range(200):  # the power iteration catches up with the last matrix
        layer(sample(1, 6, 16), Position())
    stored = torch.stack([linear.parametrizations.weight[0].scale.detach().double() for linear in linears(layer)])
    torch.testing.assert_close(spectral_norms(layer), stored, rtol=1e-4, atol=0)
    assert torch.allclose(stored, first, rtol=1e-6) is not learned


@pytest.mark.parametrize("option", ["matrices", "init", "gamma"])
def test_unknown_choices_are_refused(option):
    with pytest.raises(ValueError, match=option):
        slots.registry().get("sigma-reparam")(dim=16, heads=4, ffn_dim=12, **{option: "some"})


def test_gamma_may_start_at_one():
    layer = slots.build("sigma-reparam", {"gamma": "one"}, dim=16, ffn_dim=12, **SIZES)
    torch.testing.assert_close(spectral_norms(layer), torch.ones(6, dtype=torch.float64))
    assert all(linear.parametrizations.weight[0].scale.requires_grad for linear in linears(layer))


def test_inverse_sqrt_depth_shrinks_both_branches():
    torch.manual_seed(0)
    layer = slots.build("inv-sqrt-l-scaling", {}, dim=16, ffn_dim=12, **SIZES).eval()
    x = sample(2, 6, 16)
    middle = x + layer.attention(layer.norm1(x), Position()) / math.sqrt(6)
    torch.testing.assert_close(layer(x, Position()), middle + layer.feed_forward(layer.norm2(middle)) / math.sqrt(6))
