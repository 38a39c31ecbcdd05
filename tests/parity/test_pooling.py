"""Every method of the pooling slot is the authors' method: values, gradients, parameters, invariants."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import proofs
import pytest
import torch
from torch import Tensor, nn

from harness import slots
from harness.catalog.plugins import discover, load_plugins

PROOFS = proofs.of("pooling")
VARIANTS = [(name, options) for name, proof in PROOFS.items() for options in ({}, *proof.variants)]


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    load_plugins(set(PROOFS), discover())


def build(name: str, channels: int = 16, **options: Any) -> nn.Module:
    """The method in evaluation, with parameters away from their special initial values (zeros, ones)."""
    torch.manual_seed(0)
    module = slots.build(name, options, channels=channels).eval()
    with torch.no_grad():
        for key, value in module.named_parameters():
            if key not in ("layer.p", "r") and "scale" not in key:
                value += 0.1 * torch.randn_like(value)
    return module


def sample(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def attention(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The maps a module offers for an input."""
    maps = []
    with slots.observing(lambda _, values: maps.append(slots.value_of(values["map"]))):
        module(x)
    return maps


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_equals_the_formula(name, options):
    module = build(name, **options)
    x = sample(2, 16, 5, 3).requires_grad_()
    weights = sample(2, 16, seed=2)
    out = module(x)
    (out * weights).sum().backward()

    names = [key for key, _ in module.named_parameters()]
    state = {key: value.detach().double().requires_grad_(key in names) for key, value in module.state_dict().items()}
    slow_x = x.detach().double().requires_grad_()
    expected = PROOFS[name].formula(slow_x, state, **options)
    (expected * weights.double()).sum().backward()

    assert (out - expected).norm() <= 1e-5 * expected.norm()
    ours = [x.grad, *(p.grad for p in module.parameters())]
    theirs = [slow_x.grad, *(state[key].grad for key in names)]
    total = max(g.norm() for g in theirs)
    for key, mine, exact in zip(["x", *names], ours, theirs, strict=True):
        # A gradient that is zero in exact arithmetic (a bias under a softmax) has no scale of its own.
        assert (mine - exact).norm() <= 1e-5 * max(exact.norm(), 0.01 * total), key


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("channels", [64, 192])
def test_parameter_count(name, channels):
    assert sum(p.numel() for p in slots.build(name, {}, channels=channels).parameters()) == PROOFS[name].params(channels)


@pytest.mark.parametrize("name", [name for name in PROOFS if not PROOFS[name].places])
def test_order_of_the_positions_does_not_matter(name):
    module, x = build(name), sample(2, 16, 4, 6)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    shuffled = x.flatten(2)[..., order].view_as(x)
    torch.testing.assert_close(module(shuffled), module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PROOFS)
def test_images_do_not_affect_each_other(name):
    module, x = build(name), sample(3, 16, 4, 5)
    torch.testing.assert_close(module(x[1:2]), module(x)[1:2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in PROOFS if PROOFS[name].has_map])
def test_attention_map(name):
    """One map of the input's size per vector or head; weights that sum to 1, class tokens keeping a share."""
    (a,) = attention(build(name), sample(2, 16, 5, 3))
    assert a.shape[0] == 2 and a.shape[2:] == (5, 3) and (a >= 0).all()
    total = a.sum((2, 3))
    if name in ("vit-cls", "cait-class-attention"):
        assert (total < 1).all() and (total > 0.5).all()
    elif not PROOFS[name].not_one:
        torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize("name", ["gap", "gem"])
def test_equals_mmpretrain(name):
    from mmpretrain.models.necks import GeneralizedMeanPooling, GlobalAveragePooling

    theirs = (GlobalAveragePooling if name == "gap" else GeneralizedMeanPooling)()
    x = sample(2, 16, 7, 6)
    torch.testing.assert_close(slots.build(name, {}, channels=16)(x), theirs(x))


def test_gem_lies_between_the_mean_and_the_maximum():
    x = sample(2, 16, 5, 3).abs()
    torch.testing.assert_close(build("gem", p=1.0)(x), x.mean((2, 3)))
    # In double precision, since 0.4^200 is 0 in float32.
    unit = (x / x.max()).double()
    torch.testing.assert_close(build("gem", p=200.0).double()(unit), unit.amax((2, 3)), rtol=0.02, atol=0)
    torch.testing.assert_close(build("gem", p=2.0, flavour="simpool")(x), nn.LPPool2d(2, (5, 3))(x).flatten(1))


@pytest.mark.parametrize("p", [1.0, 3.0, 6.5, 9.0, 40.0])
def test_gem_of_a_channel_that_is_nowhere_positive_is_that_of_double_precision(p):
    """ε^p is zero in single precision from p = 7.5 on, and mmpretrain's gradient not a number then."""
    from mmpretrain.models.necks import GeneralizedMeanPooling

    x, weight = sample(2, 16, 5, 3), torch.randn(2, 16)
    x[:, 0] = -x[:, 0].abs()
    ours, theirs = build("gem", p=p).train(), GeneralizedMeanPooling(p=p).double()
    theirs.p.data.copy_(ours.layer.p.data)
    found = []
    for module, given in ((ours, x.clone()), (theirs, x.double())):
        pooled = module(given.requires_grad_())
        (pooled * weight).sum().backward()
        found.append([pooled.detach().double(), given.grad.double(), next(module.parameters()).grad.double()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0])
def test_gem_without_a_clamp_refuses_powers_that_are_not_even(p):
    with pytest.raises(ValueError, match="even"):
        slots.registry().get("gem")(channels=16, p=p, flavour="simpool")


def test_gem_of_a_dead_channel_has_a_finite_gradient():
    x = torch.zeros(1, 16, 3, 3, requires_grad=True)
    build("gem", p=2.0, flavour="simpool")(x).sum().backward()
    assert x.grad.isfinite().all()


def test_lse_lies_between_the_mean_and_the_maximum():
    x = sample(2, 16, 5, 3)
    torch.testing.assert_close(build("lse", r=1e-3)(x), x.mean((2, 3)), rtol=0, atol=2e-3)
    torch.testing.assert_close(build("lse", r=1e4)(x), x.amax((2, 3)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("learnable", [False, True])
def test_lse_of_a_negative_sharpness_lies_between_the_minimum_and_the_mean(learnable):
    x = sample(2, 16, 5, 3)
    torch.testing.assert_close(build("lse", r=-1e-3, learnable=learnable)(x), x.mean((2, 3)), rtol=0, atol=2e-3)
    far = (100 * x).requires_grad_()
    out = build("lse", r=-100.0, learnable=learnable)(far)
    torch.testing.assert_close(out, far.amin((2, 3)), rtol=0, atol=math.log(15) / 100 + 1e-3)
    out.sum().backward()
    torch.testing.assert_close(far.grad.sum((2, 3)), torch.ones(2, 16))


def test_simpool_with_uniform_attention_is_a_mean_of_its_values():
    x = sample(2, 16, 5, 3)
    plain, shifted = build("simpool", gamma=None), build("simpool", gamma=1.0)
    for module in (plain, shifted):
        nn.init.zeros_(module.query.weight)
    values = plain.norm(x.flatten(2).transpose(1, 2))
    torch.testing.assert_close(plain(x), values.mean(1))
    torch.testing.assert_close(shifted(x), values.mean(1) - values.amin((1, 2))[:, None] + 1e-6)


def test_simpool_gamma_grows_from_the_mean_to_the_maximum():
    x = sample(2, 16, 5, 3)
    pools = [build("simpool", gamma=g)(x) for g in (1.0, 1.25, 2.0, 8.0)]
    assert all((a < b).all() for a, b in pairwise(pools))


def test_simpool_minimum_over_the_batch_makes_images_depend_on_each_other():
    module, x = build("simpool", min_scope="batch"), sample(3, 16, 4, 5)
    assert not module.batch_independent
    alone = torch.cat([module(image[None]) for image in x])
    assert (alone - module(x)).abs().max() > 1e-3


def test_simpool_on_transformers_starts_as_their_linear_layers_do():
    """And has their gamma; on the features of a CNN both stay as they are."""
    torch.manual_seed(0)
    ours, plain = (slots.build("simpool", {}, channels=256, transformer=which) for which in (True, False))
    assert (ours.gamma, plain.gamma) == (1.25, 2.0)
    for name in ("query", "key"):
        assert getattr(ours, name).weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert getattr(plain, name).weight.std().item() == pytest.approx(1 / 16 / 3**0.5, rel=0.02)


def test_otk_with_one_reference_is_gap_and_does_not_train():
    module, x = build("otk", k=1), sample(2, 16, 5, 3)
    out = module(x)
    torch.testing.assert_close(out, x.mean((2, 3)))
    out.square().sum().backward()
    assert not module.references.grad.any()


@pytest.mark.parametrize("k", [2, 4])
def test_otk_mean_over_the_references_is_gap(k):
    x = sample(2, 16, 5, 3)
    torch.testing.assert_close(build("otk", k=k, reduce="mean", iterations=50)(x), x.mean((2, 3)), rtol=0, atol=1e-5)


def test_otk_plan_has_both_marginals_and_survives_a_small_epsilon():
    x = sample(2, 16, 5, 3)
    (plan,) = attention(build("otk", k=3, iterations=30), x)
    torch.testing.assert_close(plan.sum(1), torch.full((2, 5, 3), 3 / 15), rtol=1e-4, atol=0)
    assert build("otk", eps=1e-4)(100 * x).isfinite().all()


def test_k_means_finds_separate_clusters():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    member = torch.tensor([0, 1, 1, 2, 0, 2, 2, 1, 0, 0, 2, 1])
    x = centres[member].T.reshape(1, 2, 3, 4) + 0.1 * sample(1, 2, 3, 4)
    (a,) = attention(build("k-means", channels=2), x)
    groups = {tuple((row > 0).tolist()) for row in a[0].flatten(1)}
    assert groups == {tuple((member == c).tolist()) for c in range(3)}
    assert build("k-means", channels=2, init="random").stochastic


def test_slot_attention_shares_every_token_among_the_slots():
    module = build("slot-attention")
    s = sample(2, 3, 15)
    shares = s.softmax(1)
    torch.testing.assert_close(module.attention(s), shares / shares.sum(-1, keepdim=True))


def test_slot_attention_repeats_in_evaluation_only():
    module, x = build("slot-attention"), sample(2, 16, 5, 3)
    assert torch.equal(module(x), module(x))
    assert not torch.equal(module.train()(x), module(x))
    always = build("slot-attention", noise="always")
    assert always.stochastic and not torch.equal(always(x), always(x))


def test_slots_that_start_equal_stay_equal():
    """Why starting from μ alone is not offered."""
    module, x = build("slot-attention"), sample(2, 16, 5, 3)
    module.noise.zero_()
    (a,) = attention(module, x)
    torch.testing.assert_close(a, torch.full_like(a, 1 / 15))


def test_cait_starts_as_a_constant():
    module = slots.build("cait-class-attention", {}, channels=16)
    out = module(100 * sample(4, 16, 5, 3))
    assert (out - out[:1]).abs().max() < 0.01 * out.abs().max()


@pytest.mark.parametrize("name", PROOFS)
def test_half_precision_stays_finite_and_close(name):
    module, x = build(name), sample(2, 16, 5, 3).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = module(x)
    out.float().square().sum().backward()
    assert x.grad.isfinite().all()
    assert math.isclose((out.float() - module(x)).norm() / module(x).norm(), 0, abs_tol=0.05)
