"""Every position encoding is the authors' method: values, gradients, parameters, invariants."""

from __future__ import annotations

import proofs
import pytest
import torch
from proofs.position import DIM, HEADS, H, W, build, sample
from proofs.position.relative import t5_bucket

from harness import slots
from harness.catalog.plugins import discover, load_plugins

PROOFS = proofs.of("position")


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    load_plugins({*PROOFS, "encoder-layer"}, discover())


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize(("dim", "heads"), [(32, 4), (256, 8)])
def test_parameter_count(name, dim, heads):
    assert sum(p.numel() for p in slots.build(name, {}, dim=dim, heads=heads).parameters()) == PROOFS[name].params(dim, heads)


def test_learnable_is_mmdets_encoding_with_its_tables():
    from mmdet.models.layers import LearnedPositionalEncoding

    module = slots.build("learnable-pe", {}, dim=DIM, heads=HEADS)
    shipped = LearnedPositionalEncoding(DIM // 2, 50, 50)
    shipped.load_state_dict({"col_embed.weight": module.column.weight, "row_embed.weight": module.row.weight})
    theirs = shipped(torch.zeros(1, H, W, dtype=torch.bool))
    torch.testing.assert_close(module(H, W).additive, theirs[0].flatten(1).T)


def test_learnable_starts_uniform_and_refuses_larger_maps():
    module = slots.build("learnable-pe", {}, dim=DIM, heads=HEADS)
    for table in (module.row.weight, module.column.weight):
        assert 0 <= table.min() < 0.01 < 0.99 < table.max() <= 1
    assert module(50, 50).additive.shape == (50 * 50, DIM)
    with pytest.raises(ValueError, match="entries"):
        module(51, 10)


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
    torch.testing.assert_close(slots.value_of(offered["attention"]), weights)
    torch.testing.assert_close(output, attention.out((weights @ v).transpose(1, 2).flatten(2)))


def test_t5_buckets():
    from harness_plugins.position.relative import bucket

    offsets = torch.arange(-300, 301)
    assert bucket(offsets, 32, 128).tolist() == [t5_bucket(int(offset)) for offset in offsets]
    assert bucket(torch.tensor([0, -1, 1, 7, 8, 127, 300]), 32, 128).tolist() == [0, 1, 17, 23, 24, 31, 31]


def test_t5_depends_on_the_offset_only_and_starts_at_zero():
    bias = build("t5-relative-pe")(H, W).bias.unflatten(2, (H, W)).unflatten(1, (H, W))
    torch.testing.assert_close(bias[:, 1:, 2:, 1:, 2:], bias[:, :-1, :-2, :-1, :-2])
    assert not slots.build("t5-relative-pe", {}, dim=DIM, heads=HEADS)(H, W).bias.any()


def test_rotary_keeps_norms_and_sees_offsets_only():
    rotate = build("rotary-pe")(H, W).rotate
    q, k = sample(1, HEADS, 1, 8), sample(1, HEADS, 1, 8, seed=2)
    turned_q, turned_k = rotate(q.expand(-1, -1, H * W, -1)), rotate(k.expand(-1, -1, H * W, -1))
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm(dim=-1).expand(-1, -1, H * W))
    logits = (turned_q @ turned_k.mT).unflatten(3, (H, W)).unflatten(2, (H, W))
    torch.testing.assert_close(logits[:, :, 1:, 2:, 1:, 2:], logits[:, :, :-1, :-2, :-1, :-2], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits[:, :, 0, 0, 0, 0], logits[:, :, 0, 0, 1, 0])


@pytest.mark.parametrize("name", PROOFS)
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
    weights = slots.value_of(offered["attention"])
    torch.testing.assert_close(weights, (position.rotate(q) @ position.rotate(k).mT / q.shape[-1] ** 0.5).softmax(-1))
    torch.testing.assert_close(output, attention.out((weights @ v).transpose(1, 2).flatten(2)))


@pytest.mark.parametrize(("name", "dim"), [("learnable-pe", 33), ("fixed-sine-2d-pe", 34), ("rotary-pe", 24)])
def test_impossible_widths_are_refused(name, dim):
    from harness.errors import UsageError

    with pytest.raises(UsageError, match=name):
        slots.build(name, {}, dim=dim, heads=4)
