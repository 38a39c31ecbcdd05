"""The context methods against mmseg's heads with copied weights, loops over positions, and their published counts."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from harness import slots
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins

C = 16
NAMES = ("ann", "aspp-deeplabv3", "ccnet", "danet", "emanet", "isanet", "ocnet", "ocrnet", "psanet")
NORM = {"norm_cfg": {"type": "BN"}, "act_cfg": {"type": "ReLU"}}
PARAMS = {
    "ann": {"key_pool_scales": [1, 2, 3]},
    "aspp-deeplabv3": {"dilations": [1, 2, 3]},
    "isanet": {"down_factor": [2, 3]},
    "psanet": {"mask_size": [7, 9]},
}


@pytest.fixture(scope="module", autouse=True)
def plugins(openmmlab):
    load_plugins({*NAMES, "identity"}, discover())


def build(name: str, channels: int = C, **params):
    """A plugin in float64 with nothing left at zero, so that every term counts."""
    torch.manual_seed(0)
    module = slots.build(name, {**PARAMS.get(name, {}), **params}, channels=channels).double()
    for parameter in module.parameters():
        parameter.data.uniform_(-0.4, 0.4)
    for norm in (m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.5, 1.5)
    return module.eval()


def image(height: int = 5, width: int = 6) -> torch.Tensor:
    return torch.randn(2, C, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.double)


def maps(module, *inputs, **keywords):
    found = []
    with slots.observing(lambda _module, values: found.append(values["attention"]())), torch.no_grad():
        module(*inputs, **keywords)
    return found


def agree(ours, theirs, *inputs):
    """Outputs and gradients with respect to all inputs are equal."""
    mine = [x.clone().requires_grad_() for x in inputs]
    other = [x.clone().requires_grad_() for x in inputs]
    y, z = ours(*mine), theirs(*other)
    torch.testing.assert_close(y, z, rtol=1e-9, atol=1e-11)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    for a, b in zip(torch.autograd.grad((y * weight).sum(), mine), torch.autograd.grad((z * weight).sum(), other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def copied(module, source):
    module.double().load_state_dict(source.state_dict())
    return module.eval()


def head(cls: str, **kwargs):
    from mmengine.registry import MODELS

    config = {"type": f"mmseg.{cls}", "in_channels": C, "channels": C, "num_classes": 3, "norm_cfg": {"type": "BN"}}
    return MODELS.build({**config, "dropout_ratio": 0, **kwargs}).double().eval()


# ---------------------------------------------------------------- against OpenMMLab, weights copied


def test_asymmetric_blocks_are_those_of_mmseg():
    from mmseg.models.decode_heads.ann_head import AFNB, APNB

    common = {"channels": 8, "out_channels": C, "query_scales": (1,), "key_pool_scales": (1, 2, 3), "conv_cfg": None, **NORM}
    ours = build("ann", low_channels=12)
    afnb = copied(AFNB(low_in_channels=12, high_in_channels=C, **common), ours.fusion)
    apnb = copied(APNB(in_channels=C, **common), ours.context)
    low = torch.randn(2, 12, 9, 7, dtype=torch.double)
    agree(lambda x, low: ours(x, low=low), lambda x, low: apnb(afnb(low, x)), image(), low)
    agree(ours.context, apnb, image())


def test_aspp_is_the_feature_of_mmsegs_head():
    ours = build("aspp-deeplabv3")
    theirs = head("ASPPHead", dilations=(1, 2, 3))
    theirs.load_state_dict(ours.state_dict(), strict=False)
    agree(ours, lambda x: theirs._forward_feature([x]), image())


def test_dual_attention_modules_are_those_of_mmseg():
    from mmseg.models.decode_heads.da_head import CAM, PAM

    ours = build("danet", pam_channels=4)
    pam, cam = copied(PAM(C, 4), ours.pam), copied(CAM(), ours.cam)
    agree(ours, lambda x: pam(x) + cam(x), image())


def in_our_head(name: str, **kwargs):
    """The plugin in a ContextHead, stripped with ``kwargs`` of what the mmseg head does not have."""
    from mmengine.registry import MODELS

    config = {"type": "ContextHead", "plugin": name, "params": {}, "level_channels": [C], "in_channels": C, "channels": C}
    built = MODELS.build({**config, "num_classes": 3, "norm_cfg": {"type": "BN"}, "dropout_ratio": 0, **kwargs}).double()
    built.context = build(name)
    return built.eval()


def test_criss_cross_in_our_head_is_mmsegs_cc_head():
    ours = in_our_head("ccnet")
    theirs = head("CCHead")
    theirs.load_state_dict({k.replace("context.cca", "cca"): v for k, v in ours.state_dict().items()})
    agree(lambda x: ours([x]), lambda x: theirs([x]), image())


def test_ema_in_our_head_is_mmsegs_ema_head_bases_included():
    ours = in_our_head("emanet")
    names = {"convs.0": "ema_in_conv", "convs.1": "bottleneck", "context.": ""}
    state = ours.state_dict()
    for old, new in names.items():
        state = {k.replace(old, new) if k.startswith(old) else k: v for k, v in state.items()}
    theirs = head("EMAHead", ema_channels=C, num_bases=64, num_stages=3)
    theirs.load_state_dict(state)
    agree(lambda x: ours([x]), lambda x: theirs([x]), image())
    ours.train(), theirs.train()
    ours([image()]), theirs([image()])
    torch.testing.assert_close(ours.context.ema_module.bases, theirs.ema_module.bases)


def test_interlaced_attention_in_our_head_is_mmsegs_isa_head():
    ours = in_our_head("isanet", num_convs=1, concat_input=False)
    state = {k.replace("convs.0", "in_conv").removeprefix("context."): v for k, v in ours.state_dict().items()}
    theirs = head("ISAHead", isa_channels=C // 2, down_factor=(2, 3))
    theirs.load_state_dict(state)
    agree(lambda x: ours([x]), lambda x: theirs([x]), image(5, 7))


def test_object_context_in_our_head_is_mmsegs_ocr_head_given_the_same_coarse_logits():
    ours = in_our_head("ocrnet", num_convs=1, concat_input=False)
    ours.context = build("ocrnet", num_classes=3)

    def renamed(k):
        return k.replace("convs.0", "bottleneck").replace("context.attention", "object_context_block")

    state = {renamed(k): v for k, v in ours.state_dict().items()}
    theirs = head("OCRHead", ocr_channels=C // 2)
    theirs.load_state_dict({k: v for k, v in state.items() if not k.startswith("context.")})
    agree(lambda x: ours([x]), lambda x: theirs([x], ours.context.coarse(ours.convs[0](x))), image())


def test_identity_in_our_head_is_mmsegs_fcn_head():
    ours = in_our_head("identity")
    theirs = head("FCNHead")
    theirs.load_state_dict(ours.state_dict())
    agree(lambda x: ours([x]), lambda x: theirs([x]), image())


# ---------------------------------------------------------------- against the equations, position by position


def unbatched(equation):
    return lambda x: torch.stack([equation(one[None])[0] for one in x])


def test_object_context_equation():
    ours = build("ocnet")
    block = ours.attention

    def equation(x):
        k, v = block.key_project(x).flatten(2)[0], block.value_project(x).flatten(2)[0]
        context = []
        for i in range(k.shape[1]):
            logits = [k[:, i] @ k[:, j] / math.sqrt(C // 2) for j in range(k.shape[1])]
            powers = [torch.exp(logit) for logit in logits]
            context.append(sum(p * v[:, j] for j, p in enumerate(powers)) / sum(powers))
        context = block.out_project(torch.stack(context, 1).view(1, -1, *x.shape[2:]))
        return ours.join(torch.cat([context, x], 1))

    agree(ours, unbatched(equation), image())


@pytest.mark.parametrize("size, shrink, window", [((4, 5), 1, (7, 9)), ((5, 4), 1, (3, 5)), ((6, 8), 2, (5, 7)), ((5, 7), 2, (5, 7))])
def test_pointwise_spatial_attention_equation(size, shrink, window):
    ours = build("psanet", mask_size=window, shrink_factor=shrink)

    def direction(branch, x, small, odd):
        r = branch.reduce(x)
        r = F.interpolate(r, size=small, mode="bilinear", align_corners=odd) if shrink > 1 else r
        a, (height, width) = branch.attention(r), small
        out = torch.zeros_like(r[0])
        for i in range(height * width):
            logits = []
            for j in range(height * width):
                # collect: i's own window, seen from i; distribute: j's window, seen from j
                centre, other = (j, i) if branch.distribute else (i, j)
                row = other // width - centre // width + window[0] // 2
                column = other % width - centre % width + window[1] // 2
                inside = 0 <= row < window[0] and 0 <= column < window[1]
                logits.append(a[0, row * window[1] + column, centre // width, centre % width] if inside else a.new_zeros(()))
            weights = torch.stack(logits).softmax(0)
            out[:, i // width, i % width] = sum(w * r[0, :, j // width, j % width] for j, w in enumerate(weights))
        return out[None]

    def equation(x):
        odd = all(side % shrink for side in x.shape[2:])
        small = tuple(-(-side // shrink) if odd else side // shrink for side in x.shape[2:])
        z = ours.proj(torch.cat([direction(b, x, small, odd) for b in (ours.collect, ours.distribute)], 1))
        return ours.bottleneck(torch.cat([x, F.interpolate(z, size=x.shape[2:], mode="bilinear", align_corners=odd)], 1))

    agree(ours, unbatched(equation), image(*size))


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", [name for name in NAMES if name != "aspp-deeplabv3"])
def test_maps_are_rows_that_sum_to_one(name):
    x = image(4, 6)
    tokens = {"ann": 1 + 4 + 9, "emanet": 64, "ocrnet": 19}.get(name, 24)
    shape = (2, 2, 6, 6) if name == "psanet" else (2, 1, 24, tokens)
    found = maps(build(name), x)
    assert [tuple(m.shape) for m in found] == [shape] * (2 if name == "ccnet" else 1)
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


def _psanet(c, r):
    return 2 * (c * r + 2 * r + r * r + 2 * r + r * 97 * 97) + 2 * r * c + 2 * c + 18 * c * c + 2 * c


FORMULAS = {
    "ocnet": lambda c, m: c * m + 2 * m + c * m + m + m * c + c + 2 * c * c + 2 * c,
    "ann": lambda c, m: c * m + 2 * m + c * m + m + m * c + c + 2 * c * c + 2 * c,
    "emanet": lambda c, m: c * c + c + c * c + 2 * c,
    "aspp-deeplabv3": lambda c, m: 2 * (c * c + 2 * c) + 3 * (9 * c * c + 2 * c) + 45 * c * c + 2 * c,
    "ccnet": lambda c, m: 2 * (c * (c // 8) + c // 8) + c * c + c + 1,
    "isanet": lambda c, m: 2 * (2 * (c * m + 2 * m + m * m + 2 * m) + c * c + c + c * c + 2 * c) + 2 * c * c + 2 * c,
    "danet": lambda c, m: 2 * (c * (c // 8) + c // 8) + c * c + c + 2,
    "ocrnet": lambda c, m: (
        c * c + 2 * c + 19 * c + 19 + 2 * (c * m + 2 * m + m * m + 2 * m) + c * m + 2 * m + m * c + 2 * c + 2 * c * c + 2 * c
    ),
    "psanet": lambda c, m: _psanet(c, c // 4),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [32, 64])
def test_parameter_counts(name, channels):
    module = slots.build(name, {}, channels=channels)
    assert sum(p.numel() for p in module.parameters()) == FORMULAS[name](channels, channels // 2)


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


@pytest.mark.parametrize("name", ["ocnet", "danet", "ocrnet", "emanet"])
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


def test_every_context_method_of_the_registry_is_proven_here():
    used = {f.plugin for method in load_catalog().methods.values() for slot, f in method.slots.items() if slot == "context"}
    assert used <= set(NAMES)
