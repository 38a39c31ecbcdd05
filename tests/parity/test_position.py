"""Every position encoding is the authors' method: values, gradients, parameters, invariants."""

from __future__ import annotations

from typing import Any

import encoder_reference as reference
import pytest
import torch
from torch import Tensor, nn

from harness import slots
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins

FILLED = [m.slots["position_encoding"] for m in load_catalog().methods.values() if "position_encoding" in m.slots and m.state != "planned"]
PLUGINS = sorted({filling.plugin for filling in FILLED})
HEADS, DIM = 4, 32
H, W = 5, 7
PARAMS = {
    "learnable-pe": lambda d, heads: 60 * d,
    "fixed-sine-2d-pe": lambda d, heads: 0,
    "t5-relative-pe": lambda d, heads: 2 * 32 * heads,
    "rotary-pe": lambda d, heads: 0,
}


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    load_plugins({*PLUGINS, "encoder-layer"}, discover())


def build(name: str, dim: int = DIM, heads: int = HEADS, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    module = slots.build(name, options, dim=dim, heads=heads)
    with torch.no_grad():
        for value in module.parameters():
            value += torch.randn_like(value)
    return module


def sample(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def double(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().double().requires_grad_() for key, value in module.state_dict().items()}


def test_every_encoding_has_a_proof():
    assert sorted(PARAMS) == PLUGINS


@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize(("dim", "heads"), [(32, 4), (256, 8)])
def test_parameter_count(name, dim, heads):
    assert sum(p.numel() for p in slots.build(name, {}, dim=dim, heads=heads).parameters()) == PARAMS[name](dim, heads)


@pytest.mark.parametrize("options", [{}, {"entries": 50, "start": 0}])
def test_learnable_equals_the_formula(options):
    module = build("learnable-pe", **options)
    state, weights = double(module), sample(H * W, DIM)
    ours, expected = module(H, W).additive, reference.learnable(H, W, state, options.get("start", 1))
    assert torch.equal(ours.double(), expected)
    (ours * weights).sum().backward()
    (expected * weights.double()).sum().backward()
    for key, value in module.named_parameters():
        torch.testing.assert_close(value.grad.double(), state[key].grad, rtol=1e-5, atol=1e-6)


def test_learnable_is_mmdets_encoding_with_its_tables():
    from mmdet.models.layers import LearnedPositionalEncoding

    module = slots.build("learnable-pe", {"entries": 50, "start": 0}, dim=DIM, heads=HEADS)
    shipped = LearnedPositionalEncoding(DIM // 2, 50, 50)
    shipped.load_state_dict({"col_embed.weight": module.column.weight, "row_embed.weight": module.row.weight})
    theirs = shipped(torch.zeros(1, H, W, dtype=torch.bool))
    torch.testing.assert_close(module(H, W).additive, theirs[0].flatten(1).T)


def test_learnable_starts_uniform_and_refuses_larger_maps():
    module = slots.build("learnable-pe", {}, dim=DIM, heads=HEADS)
    for table in (module.row.weight, module.column.weight):
        assert 0 <= table.min() < 0.01 < 0.99 < table.max() <= 1
    assert module(59, 59).additive.shape == (59 * 59, DIM)
    with pytest.raises(ValueError, match="entries"):
        module(60, 10)


def test_sine_equals_the_formula():
    ours = build("fixed-sine-2d-pe")(H, W).additive
    torch.testing.assert_close(ours.double(), reference.sine(H, W, DIM), rtol=1e-5, atol=1e-6)


def test_t5_equals_the_formula():
    module = build("t5-relative-pe")
    state, weights = double(module), sample(HEADS, H * W, H * W)
    ours, expected = module(H, W).bias, reference.t5(H, W, state)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-6)
    (ours * weights).sum().backward()
    (expected * weights.double()).sum().backward()
    for key, value in module.named_parameters():
        torch.testing.assert_close(value.grad.double(), state[key].grad, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("scaled", [True, False])
def test_t5_with_and_without_the_root_of_the_width(scaled):
    """Raffel et al. leave 1/√d_h out; the host's layer divides by it."""
    from harness_plugins.encoder.layer import SelfAttention

    position = build("t5-relative-pe", scaled=scaled)(H, W)
    torch.manual_seed(0)
    attention, x, offered = SelfAttention(DIM, HEADS).eval(), sample(2, H * W, DIM), {}
    with slots.observing(lambda _module, values: offered.update(values)):
        output = attention(x, position)
    q, k, v = (linear(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for linear in (attention.query, attention.key, attention.value))
    weights = (q @ k.mT / ((DIM // HEADS) ** 0.5 if scaled else 1) + position.bias).softmax(-1)
    torch.testing.assert_close(offered["attention"](), weights)
    torch.testing.assert_close(output, attention.out((weights @ v).transpose(1, 2).flatten(2)))


def test_t5_buckets():
    from harness_plugins.position.relative import bucket

    offsets = torch.arange(-300, 301)
    assert bucket(offsets, 32, 128).tolist() == [reference.t5_bucket(int(offset)) for offset in offsets]
    assert bucket(torch.tensor([0, -1, 1, 7, 8, 127, 300]), 32, 128).tolist() == [0, 1, 17, 23, 24, 31, 31]


def test_t5_depends_on_the_offset_only_and_starts_at_zero():
    bias = build("t5-relative-pe")(H, W).bias.unflatten(2, (H, W)).unflatten(1, (H, W))
    torch.testing.assert_close(bias[:, 1:, 2:, 1:, 2:], bias[:, :-1, :-2, :-1, :-2])
    assert not slots.build("t5-relative-pe", {}, dim=DIM, heads=HEADS)(H, W).bias.any()


def test_rotary_equals_the_formula():
    rotate, slow = build("rotary-pe")(H, W).rotate, reference.rotary(W)
    q = sample(2, HEADS, H * W, DIM // HEADS).requires_grad_()
    exact = q.detach().double().requires_grad_()
    weights = sample(*q.shape, seed=2)
    expected = torch.stack([torch.stack([torch.stack([slow(i, v) for i, v in enumerate(head)]) for head in image]) for image in exact])
    ours = rotate(q)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-5)
    (ours * weights).sum().backward()
    (expected * weights.double()).sum().backward()
    torch.testing.assert_close(q.grad.double(), exact.grad, rtol=1e-5, atol=1e-5)


def test_rotary_keeps_norms_and_sees_offsets_only():
    rotate = build("rotary-pe")(H, W).rotate
    q, k = sample(1, HEADS, 1, 8), sample(1, HEADS, 1, 8, seed=2)
    turned_q, turned_k = rotate(q.expand(-1, -1, H * W, -1)), rotate(k.expand(-1, -1, H * W, -1))
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm(dim=-1).expand(-1, -1, H * W))
    logits = (turned_q @ turned_k.mT).unflatten(3, (H, W)).unflatten(2, (H, W))
    torch.testing.assert_close(logits[:, :, 1:, 2:, 1:, 2:], logits[:, :, :-1, :-2, :-1, :-2], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits[:, :, 0, 0, 0, 0], logits[:, :, 0, 0, 1, 0])


@pytest.mark.parametrize("name", PARAMS)
def test_encoder_layer_takes_it(name):
    """Attention with the encoding is no longer blind to the order of tokens."""
    layer, position = slots.build("encoder-layer", {}, dim=DIM, heads=HEADS, ffn_dim=DIM).eval(), build(name)(H, W)
    x, order = sample(2, H * W, DIM), torch.randperm(H * W)
    assert not torch.allclose(layer(x[:, order], position), layer(x, position)[:, order], atol=1e-4)


def test_observers_see_queries_and_keys_before_the_rotation_and_the_attention_after_it():
    """The loss compares means of q and k as the projections give them (Lee et al., ActMST)."""
    from harness_plugins.encoder.layer import SelfAttention

    position = build("rotary-pe")(H, W)
    torch.manual_seed(0)
    attention, x, offered = SelfAttention(DIM, HEADS).eval(), sample(2, H * W, DIM), {}
    with slots.observing(lambda _module, values: offered.update(values)):
        output = attention(x, position)
    q, k, v = (linear(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for linear in (attention.query, attention.key, attention.value))
    torch.testing.assert_close(offered["q"], q)
    torch.testing.assert_close(offered["k"], k)
    weights = offered["attention"]()
    torch.testing.assert_close(weights, (position.rotate(q) @ position.rotate(k).mT / q.shape[-1] ** 0.5).softmax(-1))
    torch.testing.assert_close(output, attention.out((weights @ v).transpose(1, 2).flatten(2)))


@pytest.mark.parametrize(("name", "dim"), [("learnable-pe", 33), ("fixed-sine-2d-pe", 34), ("rotary-pe", 24)])
def test_impossible_widths_are_refused(name, dim):
    from harness.errors import UsageError

    with pytest.raises(UsageError, match=name):
        slots.build(name, {}, dim=dim, heads=4)
