"""Every method of the block slot is the authors' method: values, gradients, parameters, invariants."""

from __future__ import annotations

import re
from typing import Any

import proofs
import pytest
import torch
from cases import CASES
from torch import Tensor, nn

from harness import slots
from harness.catalog.plugins import discover, load_plugins
from harness.marks import multipliers

PROOFS = proofs.of("blocks")
METHODS = {name: CASES[name][1] for name in PROOFS}
VARIANTS = [(name, options) for name, proof in PROOFS.items() for options in ({}, *proof.variants)]
PAIRWISE = [name for name in PROOFS if "attention" in PROOFS[name].offers]
UNARY = [name for name in PROOFS if "map" in PROOFS[name].offers and not PROOFS[name].not_one]


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    load_plugins({filling.plugin for filling in METHODS.values()}, discover())


def build(name: str, channels: int = 16, *, fresh: bool = False, **options: Any) -> nn.Module:
    """The method in evaluation, with parameters away from their special initial values (zeros) unless ``fresh``."""
    torch.manual_seed(0)
    filling = METHODS[name]
    module = slots.build(filling.plugin, {**filling.params, **options}, channels=channels).eval()
    if not fresh:
        with torch.no_grad():
            for value in module.parameters():
                value += 0.1 * torch.randn_like(value)
    return module


def sample(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def offered(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What a module offers to an observer."""
    seen: dict[str, Tensor] = {}

    def observer(_module: nn.Module, values: dict[str, Any]) -> None:
        seen.update({name: slots.value_of(value) for name, value in values.items()})

    with slots.observing(observer):
        module(x)
    return seen


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_equals_the_formula(name, options):
    channels = PROOFS[name].channels
    module = build(name, channels, **options)
    x = sample(2, channels, 3, 4).requires_grad_()
    weights = sample(2, channels, 3, 4, seed=2)
    out = module(x)
    (out * weights).sum().backward()

    names = [key for key, _ in module.named_parameters()]
    state = {key: value.detach().double().requires_grad_(key in names) for key, value in module.state_dict().items()}
    slow_x = x.detach().double().requires_grad_()
    expected = PROOFS[name].formula(slow_x, state, **{**METHODS[name].params, **options})
    (expected * weights.double()).sum().backward()

    # of the change, since the input itself would hide an error of a small branch
    assert (out - expected).norm() <= 1e-5 * max((expected - x).norm(), 0.1 * expected.norm())
    ours = [x.grad, *(p.grad for p in module.parameters())]
    theirs = [slow_x.grad, *(state[key].grad for key in names)]
    total = max(g.norm() for g in theirs if g is not None)
    for key, mine, exact in zip(["x", *names], ours, theirs, strict=True):
        # a gradient that is zero in exact arithmetic (a bias under a softmax) has no scale of its own
        exact = torch.zeros_like(mine) if exact is None else exact
        assert (mine - exact).norm() <= 1e-5 * max(exact.norm(), 0.01 * total), key


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("channels", [64, 192])
def test_parameter_count(name, channels):
    assert sum(p.numel() for p in build(name, channels).parameters()) == PROOFS[name].params(channels)


@pytest.mark.parametrize("name", PROOFS)
def test_start(name):
    """Identity (or x/2) at initialisation exactly where the paper has it, and not elsewhere."""
    x = sample(2, 16, 5, 4)
    out = build(name, fresh=True)(x)
    if PROOFS[name].starts_near is not None:
        assert 0 < (out - x).norm() < PROOFS[name].starts_near * x.norm()
    elif PROOFS[name].starts_as is None:
        assert (out - x).abs().max() > 0.1
    else:
        assert torch.equal(out, PROOFS[name].starts_as(x))


@pytest.mark.parametrize("flavour", ["seg-bn", "seg-nowd"])
def test_dnl_of_the_segmentation_repository_starts_as_its_unary_term(flavour):
    x = sample(2, 16, 5, 4)
    change = build("dnl-add-disentangled-key", fresh=True, flavour=flavour)(x) - x
    assert change.abs().max() > 0
    assert torch.allclose(change, change[..., :1, :1].expand_as(change), atol=1e-6)


@pytest.mark.parametrize("name", [name for name in PROOFS if not PROOFS[name].places])
def test_permuting_the_positions_permutes_the_output(name):
    module, x = build(name), sample(2, 16, 4, 6)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))

    def shuffle(y: Tensor) -> Tensor:
        return y.flatten(2)[..., order].view_as(y)

    torch.testing.assert_close(module(shuffle(x)), shuffle(module(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PAIRWISE)
def test_pairwise_attention(name):
    """(B, 1, N, N); rows sum to 1 under a softmax, and to something else in the other two forms."""
    attention = offered(build(name), sample(2, 16, 5, 3))["attention"]
    assert attention.shape == (2, 1, 15, 15)
    normalised = torch.allclose(attention.sum(-1), torch.ones(2, 1, 15), atol=1e-5)
    assert normalised == (not PROOFS[name].not_one)


@pytest.mark.parametrize("name", UNARY)
def test_unary_map_sums_to_one(name):
    spatial = offered(build(name), sample(2, 16, 5, 3))["map"]
    assert spatial.shape == (2, 1, 5, 3)
    torch.testing.assert_close(spatial.sum((1, 2, 3)), torch.ones(2))


@pytest.mark.parametrize("name", ["dnl-unary-only", "simplified-non-local", "gc-block"])
def test_query_independent_blocks_add_the_same_to_every_position(name):
    x = sample(2, 16, 5, 3)
    change = build(name)(x) - x
    torch.testing.assert_close(change, change[..., :1, :1].expand_as(change), rtol=1e-4, atol=1e-5)


def test_whitening_makes_the_pairwise_map_blind_to_a_shift_of_the_queries():
    x = sample(2, 16, 5, 3)
    module = build("dnl-pairwise-only")
    before = offered(module, x)
    with torch.no_grad():
        module.theta.bias += 3
        module.phi.bias -= 2
    after = offered(module, x)
    torch.testing.assert_close(after["attention"], before["attention"], rtol=1e-4, atol=1e-5)
    for name, shift in (("q", 3), ("k", -2)):  # offered as they are before whitening
        torch.testing.assert_close(after[name] - before[name], torch.full((2, 1, 15, 8), float(shift)))


def test_the_spatial_gate_of_cbam_is_one_half_at_the_start():
    module, x = build("cbam", fresh=True), sample(2, 16, 5, 4)
    assert (offered(module, x)["map"] == 0.5).all()
    assert not any(value.any() for key, value in module.named_parameters() if key.endswith("bias"))


def test_normalised_output_of_non_local_starts_from_the_authors_distribution():
    module = build("non-local-embedded-gaussian", 256, fresh=True, norm=True)
    assert module.conv_out.conv.weight.std().item() == pytest.approx(0.01, rel=0.05) and not module.conv_out.norm.weight.any()


def test_both_matrices_of_simplified_non_local_start_from_the_authors_distribution():
    module = build("simplified-non-local", 256, fresh=True)
    for conv in (module.conv_mask, module.channel_add_conv):
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.2) and not conv.bias.any()


@pytest.mark.parametrize("flavour", ["seg-bn", "seg-nowd", "det"])
def test_all_convolutions_of_the_authors_dnl_start_small(flavour):
    module = build("dnl-add-disentangled-key", 256, fresh=True, flavour=flavour)
    for conv in (module.theta, module.phi, module.g, module.mask):
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.2) and (conv.bias is None or not conv.bias.any())


def test_dnl_for_detection_is_that_for_segmentation_with_fewer_channels():
    ours, theirs = (build("dnl-add-disentangled-key", 16, **o) for o in ({"flavour": "det"}, {"flavour": "seg-bn", "reduction": 4}))
    theirs.load_state_dict(ours.state_dict())
    x = sample(2, 16, 5, 4)
    assert torch.equal(ours(x), theirs(x)) and ours.theta.out_channels == 4


@pytest.mark.parametrize("flavour", ["mmseg", "seg-bn", "seg-nowd", "det"])
def test_only_one_flavour_keeps_weight_decay_from_queries_and_keys(flavour):
    module = build("dnl-add-disentangled-key", flavour=flavour)
    marked = multipliers(module)
    expected = [*module.theta.parameters(), *module.phi.parameters()] if flavour == "seg-nowd" else []
    assert marked == dict.fromkeys(expected, (1.0, 0.0))


def test_gather_excite_refuses_a_map_of_another_size():
    with pytest.raises(ValueError, match=r"built for maps of size \[3, 4\], this one is \[4, 4\]"):
        build("gather-excite", extent=0, size=[3, 4])(sample(1, 16, 4, 4))


def test_gates_lie_between_zero_and_one():
    for name in ("psa-polarized-parallel", "psa-polarized-sequential", "cbam", "gather-excite", "se"):
        gates = offered(build(name), sample(2, 16, 6, 4))
        assert gates and all(((gate > 0) & (gate < 1)).all() for gate in gates.values())


def test_the_parallel_gate_of_the_official_psa_is_one_half_on_large_maps():
    """Sigmoid of a softmax over N positions."""
    module = build("psa-polarized-parallel", fresh=True)
    assert (offered(module, 0.1 * sample(1, 16, 64, 64))["map"] - 0.5).abs().max() < 1e-3


def test_local_relation_weights_sum_to_one_also_at_the_border():
    seen = offered(build("lr-net-local-relation", kernel_size=3), sample(2, 16, 5, 4))
    assert seen["neighbours"].shape == (2, 2, 20, 9)
    torch.testing.assert_close(seen["neighbours"].sum(-1), torch.ones(2, 2, 20))
    torch.testing.assert_close(seen["map"].sum((2, 3)), torch.full((2, 2), 20.0))


@pytest.mark.parametrize("name", PAIRWISE)
def test_large_maps_take_another_way_to_the_same_result(name):
    """Fused attention from 1024 positions on; 0.05 keeps the logits, and with them the rounding, small."""
    module, x = build(name), (0.05 * sample(1, 16, 32, 33)).requires_grad_()
    out = module(x)
    slow = module.double()
    expected = slow(x.detach().double()).float()
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    offers = offered(module, x.detach().double())
    assert offers["attention"].shape == (1, 1, 1056, 1056)


@pytest.mark.parametrize("mode", ["embedded-gaussian", "dot-product", "concatenation", "gaussian"])
@pytest.mark.parametrize("options", [{}, {"norm": True}, {"reduction": 1}, {"sub_sample": "projections"}])
def test_equals_mmcv_non_local(mode, options):
    from mmcv.cnn import NonLocal2d

    module = build(f"non-local-{mode}", use_scale=True, **options)
    norm = {"type": "BN"} if options.get("norm") else None
    pools = "sub_sample" in options
    theirs = NonLocal2d(16, pools, reduction=options.get("reduction", 2), mode=mode.replace("-", "_"), norm_cfg=norm).eval()
    # with its pooling behind them, mmcv's g and phi are sequences
    theirs.load_state_dict({re.sub(r"^(g|phi)\.", r"\1.0." if pools else r"\1.", key): value for key, value in module.state_dict().items()})
    x = sample(2, 16, 5, 4)
    weigh, weights = getattr(theirs, theirs.mode), []
    setattr(theirs, theirs.mode, lambda *terms: weights.append(weigh(*terms)) or weights[-1])
    torch.testing.assert_close(module(x), theirs(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(offered(module, x)["attention"][:, 0], weights[0], rtol=1e-5, atol=1e-5)


def test_equals_mmseg_disentangled_non_local():
    from mmseg.models.decode_heads.dnl_head import DisentangledNonLocal2d

    module = build("dnl-add-disentangled-key")
    theirs = DisentangledNonLocal2d(in_channels=16, temperature=0.05, mode="embedded_gaussian", use_scale=True).eval()
    keys = {"theta": "theta.conv", "phi": "phi.conv", "g": "g.conv", "out": "conv_out.conv", "mask": "conv_mask"}
    theirs.load_state_dict({f"{keys[k.split('.')[0]]}.{k.split('.')[1]}": v for k, v in module.state_dict().items()})
    x = sample(2, 16, 5, 4)
    torch.testing.assert_close(module(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", ["add", "mul"])
def test_equals_mmcv_context_block(fusion):
    from mmcv.cnn import ContextBlock

    module = build("gc-block", 32, fusion=fusion)
    theirs = ContextBlock(32, ratio=1 / 16, fusion_types=(f"channel_{fusion}",))
    theirs.load_state_dict(module.state_dict())
    x = sample(2, 32, 5, 4)
    torch.testing.assert_close(module(x), theirs(x))


def test_equals_mmpretrain_se_layer():
    from mmpretrain.models.utils import SELayer

    module = build("se", 64, divisor=8)
    theirs = SELayer(64)
    theirs.load_state_dict(module.state_dict())
    x = sample(2, 64, 5, 4)
    torch.testing.assert_close(module(x), theirs(x))


@pytest.mark.parametrize("name", PROOFS)
def test_half_precision_stays_close(name):
    module, x = build(name), sample(2, 16, 5, 3).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = module(x)
    out.float().square().sum().backward()
    assert x.grad.isfinite().all()
    assert (out.float() - module(x)).norm() <= 0.05 * module(x).norm()


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("gc-block", {"ratio": 0.01}, "leaves the bottleneck none"),
        ("psa-polarized-parallel", {"variant": "official"}, "unknown variant"),
        ("dnl-pairwise-only", {"normalisation": "joint"}, "needs two terms"),
        ("dnl-pairwise-only", {"flavour": "detectron"}, "unknown flavour"),
        ("dnl-pairwise-only", {"flavour": "det", "norm": True}, "no output convolution"),
        ("gather-excite", {"extent": 3}, "power of two"),
        ("gather-excite", {"extent": 0}, "give the map's `size`"),
        ("gather-excite", {"size": [3, 4]}, "has no use"),
        ("non-local-gaussian", {"sub_sample": True}, "choose input, projections"),
        ("lr-net-local-relation", {"group": 5}, "do not divide"),
        ("se", {"reduction": 16}, "unexpected keyword"),
    ],
)
def test_wrong_parameters_are_named(name, options, reason):
    from harness.errors import UsageError

    with pytest.raises(UsageError, match=reason):
        build(name, **options)
