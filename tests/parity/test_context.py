"""The context methods' maps, published counts and invariants, and the head that hosts them."""

from __future__ import annotations

import proofs
import pytest
import torch
import torch.nn.functional as F
from proofs.context import C, agree, build, head, image, in_our_head

from harness import slots
from harness.catalog.plugins import discover, load_plugins

PROOFS = proofs.of("context")


@pytest.fixture(scope="module", autouse=True)
def plugins(openmmlab):
    load_plugins({*PROOFS, "identity"}, discover())


def maps(module, *inputs, **keywords):
    found = []
    with slots.observing(lambda _module, values: found.append(slots.value_of(values["attention"]))), torch.no_grad():
        module(*inputs, **keywords)
    return found


def test_identity_in_our_head_is_mmsegs_fcn_head():
    ours = in_our_head("identity")
    theirs = head("FCNHead")
    theirs.load_state_dict(ours.state_dict())
    agree(lambda x: ours([x]), lambda x: theirs([x]), image())


@pytest.mark.parametrize("name", PROOFS)
def test_single_precision_is_close(name):
    """What is proven in float64 holds in float32: values and gradients."""
    results = []
    for dtype in (torch.double, torch.float):
        module, x = build(name).to(dtype), image().to(dtype).requires_grad_()
        y = module(x)
        (y * torch.linspace(-1, 1, y.numel(), dtype=dtype).view_as(y)).sum().backward()
        results.append([y, x.grad, *(p.grad for p in module.parameters() if p.requires_grad)])
    total = max(exact.norm() for exact in results[0][1:])
    for i, (exact, single) in enumerate(zip(*results, strict=True)):
        # a gradient that is zero in exact arithmetic (a key's bias under a softmax) has no scale of its own
        assert (single - exact).norm() <= 1e-5 * max(exact.norm(), 0.01 * total if i else 0)


# ---------------------------------------------------------------- attention maps


@pytest.mark.parametrize("name", [name for name in PROOFS if PROOFS[name].has_map])
def test_maps_are_rows_that_sum_to_one(name):
    x = image(4, 6)
    found = maps(build(name), x)
    assert [tuple(m.shape) for m in found] == [(2, *PROOFS[name].rows)] * PROOFS[name].times
    for m in found:
        assert (m >= 0).all()
        torch.testing.assert_close(m.sum(-1), torch.ones_like(m[..., 0]))


def test_object_context_map_makes_the_output():
    ours, x = build("ocnet"), image()
    (m,) = maps(ours, x)
    context = (m[:, 0] @ ours.attention.value_project(x).flatten(2).mT).mT.unflatten(2, x.shape[2:])
    torch.testing.assert_close(ours.join(torch.cat([ours.attention.out_project(context), x], 1)), ours(x))


def test_criss_cross_map_is_the_cross_and_makes_the_output():
    ours, x = build("ccnet", recurrence=1), image()
    (m,) = maps(ours, x)
    assert (m[0, 0] > 0).sum(-1).unique().tolist() == [5 + 6 - 1]
    attended = (m[:, 0] @ ours.cca.value_conv(x).flatten(2).mT).mT.unflatten(2, x.shape[2:])
    torch.testing.assert_close(ours.cca.gamma(attended) + x, ours(x))


def test_ema_map_makes_the_reconstruction():
    ours, x = build("emanet"), image()
    (z,) = maps(ours, x)
    mid = ours.ema_mid_conv(x)
    weights = z[:, 0] / z[:, 0].sum(1, keepdim=True)
    bases = F.normalize(mid.flatten(2) @ weights, dim=1)
    torch.testing.assert_close((bases @ z[:, 0].mT).unflatten(2, x.shape[2:]), ours.ema_module(mid))


def test_interlaced_map_follows_the_groups():
    """A position attends to all others; a change at j alters the two-step value at i exactly where the map says so."""
    ours, x = build("isanet"), image(4, 6)
    (m,) = maps(ours, x)
    assert (m > 0).all()
    near, far = ours.local_relation, ours.global_relation
    for relation in (near, far):
        # linear, position-wise maps around the attention: the product of maps is then the whole module
        relation.value_project = torch.nn.Identity()
        relation.output_project = torch.nn.Identity()
    ours.out_conv = torch.nn.Identity()
    (m,) = maps(ours, x)
    torch.testing.assert_close(ours(x)[:, :C], (m[:, 0] @ x.flatten(2).mT).mT.unflatten(2, (4, 6)))


# ---------------------------------------------------------------- counts and invariants


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("channels", [32, 64])
def test_parameter_counts(name, channels):
    module = slots.build(name, {}, channels=channels)
    assert sum(p.numel() for p in module.parameters()) == PROOFS[name].params(channels, channels // 2)


def test_fusion_block_adds_its_own_query_projection():
    def count(**kw):
        return sum(p.numel() for p in slots.build("ann", {}, channels=32, **kw).parameters())

    m, low = 16, 24
    assert count(low_channels=low) - count() == low * m + 2 * m + 32 * m + 2 * m + low * m + m + m * 32 + 32 + 2 * 32 * 32 + 2 * 32


def test_what_the_gates_make_of_the_input_at_first():
    x = image().float()
    at_first = {name: slots.build(name, {}, channels=C).eval()(x) for name in ("ccnet", "danet")}
    torch.testing.assert_close(at_first["ccnet"], x)
    torch.testing.assert_close(at_first["danet"], 2 * x)
    assert not slots.build("ocnet", {}, channels=C).attention(x, x).any()


@pytest.mark.parametrize("name", [name for name in PROOFS if not PROOFS[name].places])
def test_permutation_equivariance(name):
    ours, x = build(name), image()
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    shuffled = x.flatten(2)[:, :, order].view_as(x)
    torch.testing.assert_close(ours(shuffled), ours(x).flatten(2)[:, :, order].view_as(x))


def test_coarse_logits_of_ocr_are_trained_and_only_in_training():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    built = in_our_head("ocrnet")
    built.context = build("ocrnet", num_classes=3)
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 3, (1, 5, 6))))
    losses = built.loss([image()], [sample, sample], None)
    assert losses["loss_coarse"] > 0
    losses["loss_coarse"].backward()
    assert built.context.coarse[1].weight.grad.abs().sum() > 0


# ---------------------------------------------------------------- the authors' start and dropout


@pytest.mark.parametrize(("name", "options", "times"), [("ann", {"low_channels": 12}, 2), ("isanet", {}, 1), ("ocrnet", {}, 1)])
def test_channels_are_dropped_as_the_authors_have_it(name, options, times):
    """Whole channels, at the end of each block, at a rate of 0.05; in training alone."""
    module = build(name, **options)
    drops = [m for m in module.modules() if isinstance(m, torch.nn.Dropout2d)]
    assert [m.p for m in drops] == [0.05] * times
    inputs = (image(), torch.randn(2, 12, 9, 7, dtype=torch.double))[: len(options) + 1]
    kept = module(*inputs)
    for drop in drops:
        drop.train().p = 0.5
        torch.manual_seed(0)
        out = module(*inputs)
        drop.eval()
        assert not torch.equal(out, kept)
    # of the last, which is the end of the module: a channel is gone, or doubled since half of them are
    gone, doubled = ((out == value).flatten(2).all(2) for value in (torch.zeros_like(kept), 2 * kept))
    assert (gone | doubled).all() and (gone & ~doubled).any() and (doubled & ~gone).any()


def test_ema_starts_from_the_authors_bias_and_offers_their_momentum():
    torch.manual_seed(0)
    module = slots.build("emanet", {"norm_momentum": 3e-4}, channels=256)
    bias = module.ema_mid_conv.conv.bias
    assert bias.abs().max() <= 1 / 16 and bias.std().item() == pytest.approx(1 / 16 / 3**0.5, rel=0.1)
    assert module.ema_out_conv.bn.momentum == 3e-4
