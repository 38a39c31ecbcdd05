"""Every method of the block slot is the authors' method: values, gradients, parameters, invariants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import blocks_reference as reference
import pytest
import torch
from torch import Tensor, nn

from harness import slots
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins

METHODS = {m.id: m.slots["block"] for m in load_catalog().methods.values() if m.slot == "block" and m.state != "planned"}


@dataclass(frozen=True)
class Proof:
    """What a method is compared with."""

    formula: Callable[..., Tensor]
    """The slow reference, ``formula(x, state, **options)``."""
    params: Callable[[int], float]
    """The published parameter count, as a function of d."""
    starts_as: Callable[[Tensor], Tensor] | None = None
    """What the block computes at initialisation, where the paper says so."""
    variants: tuple[dict[str, Any], ...] = ()
    """Further parameter settings to compare."""
    channels: int = 16
    """Width at which it is compared."""


def _same(x: Tensor) -> Tensor:
    return x


def _non_local(d: int) -> float:
    return 2 * d**2 + 2.5 * d


_FLAVOURS = tuple({"flavour": flavour} for flavour in ("seg-bn", "seg-nowd", "det"))

PROOFS = {
    "identity": Proof(reference.identity, lambda d: 0, _same),
    "se": Proof(reference.se, lambda d: 2 * d**2 / 16 + d / 16 + d, variants=({"residual": True}, {"ratio": 4, "divisor": 8})),
    "cbam": Proof(reference.cbam, lambda d: 2 * d**2 / 16 + d / 16 + d + 98 + 2, variants=({"bias": False, "kernel_size": 3, "ratio": 4},)),
    "gather-excite": Proof(
        reference.gather_excite,
        lambda d: 11 * d + 2 * d**2 / 16 + d / 16 + d,
        variants=(
            {"extent": 4, "mlp": False},
            {"extent": 0, "gather": "average", "residual": True},
            {"extent": 4, "gather": "average", "mlp": False},
        ),
    ),
    "non-local-embedded-gaussian": Proof(reference.non_local, _non_local, _same, ({"use_scale": True}, {"norm": True}, {"reduction": 4})),
    "non-local-gaussian": Proof(reference.non_local, lambda d: d**2 + 1.5 * d, _same),
    "non-local-dot-product": Proof(reference.non_local, _non_local, _same),
    "non-local-concatenation": Proof(reference.non_local, lambda d: 2 * d**2 + 3.5 * d, _same),
    "simplified-non-local": Proof(reference.simplified_non_local, lambda d: d**2 + 2 * d + 1, _same),
    "gc-block": Proof(reference.gc_block, lambda d: 2 * d**2 / 16 + 3 * d / 16 + 2 * d + 1, _same, ({"ratio": 0.25},)),
    "gc-block-mul": Proof(reference.gc_block, lambda d: 2 * d**2 / 16 + 3 * d / 16 + 2 * d + 1, lambda x: x / 2),
    "self-attention-joint": Proof(reference.dnl, _non_local, _same, _FLAVOURS),
    "dnl-pairwise-only": Proof(reference.dnl, _non_local, _same, ({"temperature": 1.0}, *_FLAVOURS)),
    "dnl-unary-only": Proof(reference.dnl, _non_local, _same, _FLAVOURS),
    "dnl-add-shared-key": Proof(reference.dnl, _non_local, _same, ({"normalisation": "joint"}, *_FLAVOURS)),
    "dnl-add-disentangled-key": Proof(reference.dnl, lambda d: _non_local(d) + d + 1, _same, ({"normalisation": "joint"}, *_FLAVOURS)),
    "psa-polarized-parallel": Proof(reference.psa, lambda d: 2 * d**2 + d),
    "psa-polarized-sequential": Proof(reference.psa, lambda d: 1.6875 * d**2 + 2.375 * d, channels=64),  # its LayerNorm has d/8
    "psa-polarized-parallel-paper": Proof(reference.psa, lambda d: 2 * d**2 + 3 * d),
    "psa-polarized-sequential-paper": Proof(reference.psa, lambda d: 2 * d**2 + 3 * d),
    "lr-net-local-relation": Proof(
        reference.local_relation,
        lambda d: d**2 + d + 2 * (d**2 / 8 + d / 8) + 3 * d / 8 + (d / 8) ** 2 + d / 8,
        variants=({"kernel_size": 3, "similarity": "absolute-difference"}, {"kernel_size": 3, "group": 4, "similarity": "product"}),
    ),
}
VARIANTS = [(name, options) for name, proof in PROOFS.items() for options in ({}, *proof.variants)]
PAIRWISE = [name for name in PROOFS if name.startswith(("non-local", "dnl", "self")) and name != "dnl-unary-only"]
PERMUTABLE = [name for name in PROOFS if name not in ("cbam", "gather-excite", "lr-net-local-relation")]


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


def test_every_method_has_a_proof():
    assert sorted(PROOFS) == sorted(METHODS)


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
    if PROOFS[name].starts_as is None:
        assert (out - x).abs().max() > 0.1
    else:
        assert torch.equal(out, PROOFS[name].starts_as(x))


@pytest.mark.parametrize("flavour", ["seg-bn", "seg-nowd"])
def test_dnl_of_the_segmentation_repository_starts_as_its_unary_term(flavour):
    x = sample(2, 16, 5, 4)
    change = build("dnl-add-disentangled-key", fresh=True, flavour=flavour)(x) - x
    assert change.abs().max() > 0
    assert torch.allclose(change, change[..., :1, :1].expand_as(change), atol=1e-6)


@pytest.mark.parametrize("name", PERMUTABLE)
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
    assert normalised == (name not in ("non-local-dot-product", "non-local-concatenation"))


@pytest.mark.parametrize(
    "name", ["simplified-non-local", "gc-block", "gc-block-mul", "dnl-unary-only", "dnl-add-shared-key", "dnl-add-disentangled-key"]
)
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
@pytest.mark.parametrize("options", [{}, {"norm": True}, {"reduction": 1}])
def test_equals_mmcv_non_local(mode, options):
    from mmcv.cnn import NonLocal2d

    module = build(f"non-local-{mode}", use_scale=True, **options)
    norm = {"type": "BN"} if options.get("norm") else None
    theirs = NonLocal2d(16, reduction=options.get("reduction", 2), mode=mode.replace("-", "_"), norm_cfg=norm).eval()
    theirs.load_state_dict(module.state_dict())
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
        ("gather-excite", {"extent": 3}, "power of two"),
        ("lr-net-local-relation", {"group": 5}, "do not divide"),
        ("se", {"reduction": 16}, "unexpected keyword"),
    ],
)
def test_wrong_parameters_are_named(name, options, reason):
    from harness.errors import UsageError

    with pytest.raises(UsageError, match=reason):
        build(name, **options)
