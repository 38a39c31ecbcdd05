"""Hosts of pre-training: masked tokens are unseen, [CLS] looks where it looks, and a step is what the papers write."""

from __future__ import annotations

import copy

import pytest
import torch

from harness.catalog.plugins import discover, load_plugins
from harness.errors import TrialError, UsageError


@pytest.fixture(scope="module", autouse=True)
def stack(openmmlab):
    load_plugins({"random-masking", "attmask-high", "random-block-wise-masking"}, discover())


NETWORK = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 12, "num_layers": 2, "num_heads": 3, "feedforward_channels": 16},
    "img_size": 16,
    "patch_size": 4,
    "out_type": "raw",
}
HEAD = {
    "prototypes": 10,
    "patch_prototypes": 0,
    "hidden": 8,
    "bottleneck": 6,
    "balance": "centre",
    "momentum": 0.9,
    "student_temperature": 0.1,
    "temperature": (0.04, 0.07),
    "patch_temperature": (0.05, 0.06),
    "temperature_epochs": 3,
    "freeze_prototypes": 1,
    "class_weight": 1.0,
    "patch_weight": 1.0,
}
VIEWS = {"area": (0.25, 1.0), "locals": 0, "local_size": 8, "local_area": (0.05, 0.25), "jitter": 0.0, "grey": 0.0}
HALF = {"low": 0.5, "high": 0.5, "masking_prob": 1.0}


@pytest.fixture
def encoder():
    from harness.benchmarks.self_supervised.mm.encoder import Encoder

    torch.manual_seed(0)
    built = Encoder(NETWORK, masked=True)
    built.mask_token.data.normal_()
    return built.double()


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def make(host="ibot", masking="random-masking", params=HALF, **changes):
    from mmengine.registry import MODELS, DefaultScope

    common = {
        "backbone": NETWORK,
        "masking": {"plugin": masking, "params": params},
        "size": 16,
        "views": VIEWS | {name: changes.pop(name) for name in list(changes) if name in VIEWS},
        "mean": [127.5] * 3,
        "std": [127.5] * 3,
    }
    loss = {"type": "PixelReconstructionLoss", "criterion": "L2" if host == "mae" else "L1"}
    own = {
        "ibot": {"type": "SelfDistillation", "distillation": HEAD | changes},
        "simmim": {
            "type": "MaskedPixels",
            "neck": {"type": "SimMIMLinearDecoder", "in_channels": 12, "encoder_stride": 4},
            "head": {"type": "SimMIMHead", "patch_size": 4, "loss": loss | {"channel": 3}},
        },
        "mae": {
            "type": "MaskedAutoencoder",
            "neck": {
                "type": "MAEPretrainDecoder",
                "num_patches": 16,
                "patch_size": 4,
                "embed_dim": 12,
                "decoder_embed_dim": 8,
                "decoder_depth": 1,
                "decoder_num_heads": 2,
            },
            "head": {"type": "MAEPretrainHead", "patch_size": 4, "norm_pix": True, "loss": loss},
        },
    }
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(common | own[host])


def test_a_compiled_step_looks_where_the_plain_one_does(encoder, images):
    mask = torch.zeros(3, 16, dtype=torch.bool)
    _, plain = encoder.looked(images)

    def step():
        with torch.no_grad():
            _, attention = encoder.looked(images)
        return encoder(images, mask).sum(), attention

    compiled = torch.compile(step, backend="eager")
    for _ in range(2):
        loss, attention = compiled()
        assert torch.equal(attention, plain) and loss.requires_grad


def test_pixels_behind_the_mask_are_unseen(encoder, images):
    mask = torch.zeros(3, 16, dtype=torch.bool)
    mask[:, 5] = True  # row 1, column 1 of patches
    other = images.clone()
    other[:, :, 4:8, 4:8] = 0.3
    assert torch.equal(encoder(images, mask), encoder(other, mask)) and not torch.allclose(encoder(images), encoder(other))


def test_the_mask_token_stands_for_the_patch_before_positions_are_added(encoder, images):
    mask = torch.rand(3, 16, generator=torch.Generator().manual_seed(0)) < 0.5
    vit = encoder.backbone
    tokens = vit.patch_embed.projection(images).flatten(2).transpose(1, 2)
    tokens[mask] = encoder.mask_token[0, 0]
    x = torch.cat([vit.cls_token.expand(3, -1, -1), tokens], dim=1) + vit.pos_embed
    for layer in vit.layers:
        x = layer(x)
    assert torch.allclose(encoder(images, mask), vit.ln1(x))
    encoder(images, mask).sum().backward()
    assert encoder.mask_token.grad.abs().sum() > 0


def test_cls_looks_as_its_queries_and_keys_say(encoder, images):
    inputs = []
    encoder.backbone.layers[-1].attn.register_forward_pre_hook(lambda _module, args: inputs.append(args[0]))
    tokens, attention = encoder.looked(images)
    qkv = encoder.backbone.layers[-1].attn.qkv
    for image in range(3):
        projected = inputs[0][image] @ qkv.weight.T + qkv.bias
        for head in range(3):
            query = projected[0, 4 * head : 4 * head + 4]
            keys = projected[:, 12 + 4 * head : 12 + 4 * head + 4]
            row = (keys @ query / 2).softmax(dim=0)
            assert torch.allclose(attention[image, head], row[1:])
    assert torch.equal(tokens, encoder(images)) and attention.shape == (3, 3, 16)


def test_masks_of_another_shape_are_refused():
    from harness.benchmarks.self_supervised.mm.encoder import drawn

    with pytest.raises(UsageError, match="a mask is bool of shape"):
        drawn(lambda a: (a > 0)[:, :5], torch.rand(2, 3, 16))


def test_a_step_is_that_of_the_papers():
    """Whole step in slow steps: teacher whole, student masked, both losses, centres, moving average."""
    model = make(momentum=0.8, patch_prototypes=7, locals=1)
    torch.manual_seed(3)
    for parameter in model.student.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    whole, parts = torch.randn(4, 3, 16, 16), torch.randn(2, 3, 8, 8)
    mask = torch.rand(4, 16) < 0.5
    model.masking = lambda attention: mask
    model.at(30, 90, 1, 3)
    model.balance.value.normal_()
    model.patch_balance.value.normal_()
    before = copy.deepcopy(model)
    losses = model.compare(whole, parts)

    with torch.no_grad():
        t_class, t_patch = before.teacher.head(before.teacher.encoder(whole))
        s_class, s_patch = before.student.head(before.student.encoder(whole, mask))
        l_class, _ = before.student.head(before.student.encoder(parts))
    p = ((t_class - before.balance.value) / 0.055).softmax(-1)
    pp = ((t_patch - before.patch_balance.value) / 0.055).softmax(-1)
    students = [s_class[:2], s_class[2:], l_class]
    pairs = [-(p[2 * q : 2 * q + 2] * (students[v] / 0.1).log_softmax(-1)).sum(-1).mean() for q in range(2) for v in range(3) if v != q]
    assert losses["loss_class"].item() == pytest.approx(float(sum(pairs) / 4), rel=1e-5)
    per_token = -(pp * (s_patch / 0.1).log_softmax(-1)).sum(-1)
    per_view = [torch.stack([per_token[i][mask[i]].mean() for i in range(2 * v, 2 * v + 2)]).mean() for v in range(2)]
    assert losses["loss_patch"].item() == pytest.approx(float(sum(per_view) / 2), rel=1e-5)
    assert torch.allclose(model.balance.value, 0.9 * before.balance.value + 0.1 * t_class.mean(0), atol=1e-6)
    assert torch.allclose(model.patch_balance.value, 0.9 * before.patch_balance.value + 0.1 * t_patch.mean((0, 1)), atol=1e-6)

    sum(losses.values()).backward()
    assert all(parameter.grad is None for parameter in model.teacher.parameters())
    momentum = 1 - 0.2 * (1 + 0.5) / 2  # a third of the way along the cosine
    model.stepped()
    for name in ("head.mlp.0.weight", "encoder.backbone.pos_embed", "head.patch_prototypes.weight"):
        own, other = before.teacher.get_parameter(name), before.student.get_parameter(name)
        assert torch.allclose(model.teacher.get_parameter(name), momentum * own + (1 - momentum) * other, atol=1e-6)


def test_the_teacher_begins_as_the_student_and_drops_nothing():
    from mmcv.cnn.bricks.drop import DropPath

    model = make()
    pairs = zip(model.teacher.encoder.backbone.parameters(), model.student.encoder.backbone.parameters(), strict=True)
    assert all(torch.equal(own, other) for own, other in pairs)
    drops = [module.drop_prob for module in model.teacher.modules() if isinstance(module, DropPath)]
    assert not any(drops)


def test_prototypes_stay_in_the_first_epochs():
    model = make(freeze_prototypes=2)
    for epoch, trained in ((0, False), (1, False), (2, True)):
        model.at(epoch, 9, epoch, 9)
        assert model.student.head.prototypes.weight.requires_grad is trained


def test_attention_masks_are_the_teachers(images):
    model = make(masking="attmask-high")
    torch.manual_seed(5)
    for parameter in model.teacher.encoder.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    whole = images.float().repeat(2, 1, 1, 1)[:4]
    asked = []
    original = model.masking
    model.masking = lambda attention: asked.append(attention) or original(attention)
    model.compare(whole, None)
    assert torch.allclose(asked[0], model.teacher.encoder.looked(whole)[1].mean(1)) and len(asked) == 1


def test_a_collapsed_teacher_ends_the_trial():
    model = make()
    model.train()
    for module in (model.teacher, model.student):
        for parameter in module.head.mlp.parameters():
            parameter.data.zero_()
        module.head.mlp[-1].bias.data.fill_(1.0)  # one output, whatever the image
    with torch.no_grad():
        model.compare(torch.randn(8, 3, 16, 16), None)
    with pytest.raises(TrialError, match="collapsed: they are"):
        model.refuse_collapse()


def test_a_teacher_that_tells_images_apart_goes_on():
    model = make()
    model._said.add(torch.eye(10))
    model.refuse_collapse()


def test_simmim_restores_masked_pixels_only():
    model = make("simmim")
    torch.manual_seed(2)
    images, mask = torch.randn(2, 3, 16, 16), torch.rand(2, 16) < 0.4
    tokens = model.encoder(images, mask)[:, 1:]
    weights, bias = model.neck.decoder[0].weight[:, :, 0, 0], model.neck.decoder[0].bias
    wrong, count = 0.0, 0
    for image in range(2):
        for token in range(16):
            if mask[image, token]:
                pixels = (weights @ tokens[image, token] + bias).reshape(3, 4, 4)
                row, column = divmod(token, 4)
                truth = images[image, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
                wrong, count = wrong + float((pixels - truth).abs().sum()), count + truth.numel()
    assert model.restore(images, mask)["loss"].item() == pytest.approx(wrong / count, rel=1e-5)
    assert model.restore(images, torch.zeros(2, 16, dtype=torch.bool))["loss"].item() == 0


@pytest.mark.parametrize("host", ["simmim", "mae"])
def test_what_masks_nothing_restores_nothing(host):
    with pytest.raises(TrialError, match=r"masks no token .* model\.host: ibot"):
        make(host, params=HALF | {"masking_prob": 0.0})


def test_mae_is_mmpretrains_with_the_masks_of_a_strategy():
    from mmengine.registry import MODELS, DefaultScope

    model = make("mae")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        theirs = MODELS.build(
            {
                "type": "MAE",
                "backbone": {**NETWORK, "type": "MAEViT", "mask_ratio": 0.75},
                "neck": {"type": "MAEPretrainDecoder", "num_patches": 16, "patch_size": 4, "embed_dim": 12}
                | {"decoder_embed_dim": 8, "decoder_depth": 1, "decoder_num_heads": 2},
                "head": {
                    "type": "MAEPretrainHead",
                    "patch_size": 4,
                    "norm_pix": True,
                    "loss": {"type": "PixelReconstructionLoss", "criterion": "L2"},
                },
            }
        )
    theirs.backbone.load_state_dict(model.encoder.backbone.state_dict())
    theirs.neck.load_state_dict(model.neck.state_dict())
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(9)
    _, mask, _ = theirs.backbone(images)
    torch.manual_seed(9)
    expected = theirs.loss(images, [])["loss"]
    found = model.restore(images, mask.bool())["loss"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    expected.backward()
    found.backward()
    for name, parameter in theirs.backbone.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(parameter.grad, model.encoder.backbone.get_parameter(name).grad, atol=1e-6), name


def test_mae_needs_as_many_masked_tokens_in_each_image():
    model = make("mae")
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, :4] = True
    with pytest.raises(TrialError, match="0 to 4 are masked"):
        model.restore(torch.randn(2, 3, 16, 16), mask)


@pytest.mark.parametrize("host", ["ibot", "simmim", "mae"])
def test_the_loss_is_made_of_the_errors_of_masked_tokens(host):
    model = make(host, patch_temperature=(0.05, 0.05)) if host == "ibot" else make(host)
    torch.manual_seed(4)
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    images = torch.randn(4, 3, 16, 16)
    mask = torch.zeros(4, 16, dtype=torch.bool)
    for row in mask:
        row[torch.randperm(16)[:5]] = True
    model.masking = lambda attention: mask
    model.eval()
    with torch.no_grad():
        loss = model.compare(images, None)["loss_patch"] if host == "ibot" else model.restore(images, mask)["loss"]
        errors = model.errors(images, mask)
    assert errors.shape == (4, 16) and loss.item() == pytest.approx(errors[mask].mean().item(), rel=1e-5)


def test_what_is_kept_of_the_beginning_is_no_part_of_the_state():
    model = make()
    assert not any("_first" in name for name in model.state_dict())
    state = {name: value.clone() for name, value in model._first.items()}
    for parameter in model.teacher.parameters():
        parameter.data.add_(1.0)
    assert all(torch.equal(value, model._first[name]) for name, value in state.items())
