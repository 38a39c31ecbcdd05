"""Blocks go into any backbone by module path."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from harness.benchmarks.parts.insert import NAME, insert_blocks
from harness.catalog import plugins
from harness.errors import UsageError
from harness.slots import attention_method

SIZE = (64, 96)


@attention_method("test-add-one-parameter", slot="block")
class _Shift(nn.Module):
    """Adds a learned number per channel, so that a gradient shows whether the block took part."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.ones(channels, 1, 1))
        self.seen: tuple[int, ...] = ()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = tuple(x.shape)
        return x + self.shift


def _vit(scope: str) -> dict:
    arch = {"embed_dims": 32, "num_layers": 2, "num_heads": 4, "feedforward_channels": 64}
    return {"type": f"{scope}.VisionTransformer", "arch": arch, "img_size": SIZE, "patch_size": 16, "out_type": "featmap"}


_SWIN = {"type": "mmpretrain.SwinTransformer", "arch": "tiny", "pad_small_map": True}
_STAGE = {"num_modules": 1, "block": "BASIC"}
_HRNET = {
    "stage1": {"num_modules": 1, "num_branches": 1, "block": "BOTTLENECK", "num_blocks": (1,), "num_channels": (16,)},
    "stage2": {**_STAGE, "num_branches": 2, "num_blocks": (1, 1), "num_channels": (8, 16)},
    "stage3": {**_STAGE, "num_branches": 3, "num_blocks": (1, 1, 1), "num_channels": (8, 16, 32)},
    "stage4": {**_STAGE, "num_branches": 4, "num_blocks": (1, 1, 1, 1), "num_channels": (8, 16, 32, 64), "multiscale_output": True},
}

CASES = {
    **{
        f"{scope}-resnet{depth}-{path}": ({"type": f"{scope}.ResNet", "depth": depth}, f"backbone.{path}", [shape])
        for scope in ("mmseg", "mmdet", "mmpretrain", "mmpose")
        for depth, path, shape in ((18, "layer3", None), (50, "layer3.0.conv2", None))
    },
    **{
        f"{scope}-hrnet": ({"type": f"{scope}.HRNet", "extra": _HRNET}, "backbone.stage2.0", [(8, 16, 24), (16, 8, 12)])
        for scope in ("mmseg", "mmdet", "mmpose")
    },
    "mmpretrain-hrnet": ({"type": "mmpretrain.HRNet", "extra": _HRNET}, "backbone", [(8, 16, 24), (16, 8, 12), (32, 4, 6), (64, 2, 3)]),
    "mmpretrain-convnext": ({"type": "mmpretrain.ConvNeXt", "arch": "tiny"}, "backbone.stages.1", [(192, 8, 12)]),
    "mmpretrain-convnext-channels-last": (
        {"type": "mmpretrain.ConvNeXt", "arch": "tiny", "layer_scale_init_value": 1.0},
        "backbone.stages.1.0.norm",
        [(192, 8, 12)],
    ),
    "mmpretrain-vit": (_vit("mmpretrain"), "backbone.layers.0", [(32, 4, 6)]),
    "mmseg-vit": (
        {"type": "mmseg.VisionTransformer", "img_size": SIZE, "embed_dims": 32, "num_layers": 2, "num_heads": 4, "out_indices": 1},
        "backbone.layers.0.ffn",
        [(32, 4, 6)],
    ),
    "mmpretrain-swin-block": (_SWIN, "backbone.stages.1.blocks.0", [(192, 8, 12)]),
    "mmpretrain-swin-stage": (_SWIN, "backbone.stages.0", [(96, 16, 24)]),
    "mmpretrain-mobilenet-v2": ({"type": "mmpretrain.MobileNetV2"}, "backbone.layer5", [(96, 4, 6)]),
    "mmseg-mobilenet-v2": ({"type": "mmseg.MobileNetV2"}, "backbone.layer3.0.conv", [(32, 8, 12)]),
    "mmpose-mobilenet-v2": ({"type": "mmpose.MobileNetV2"}, "backbone.conv2", [(1280, 2, 3)]),
}


class _Model(nn.Module):
    def __init__(self, config: dict) -> None:
        super().__init__()
        from mmengine.registry import MODELS

        self.backbone = MODELS.build(config)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y = self.backbone(x)
        return list(y) if isinstance(y, (tuple, list)) else [y]


def _insert(model: nn.Module, path: str, plugin: str, **more) -> None:
    insert_blocks(model, [{"path": path, "branch": None, "plugin": plugin, "params": {}, **more}], SIZE)


@pytest.fixture(autouse=True)
def _loaded(openmmlab) -> None:
    files = plugins.discover()
    plugins.load_plugins({"identity"}, files)


@pytest.mark.parametrize("case", CASES)
def test_block_on_any_backbone(case: str) -> None:
    config, path, maps = CASES[case]
    torch.manual_seed(0)
    model = _Model(config).eval()
    x = torch.randn(2, 3, *SIZE)
    before, keys = model(x), set(model.state_dict())

    same = copy.deepcopy(model)
    _insert(same, path, "identity")
    assert all(torch.equal(a, b) for a, b in zip(before, same(x), strict=True))
    assert set(same.state_dict()) == keys

    modes = [m.training for m in model.modules()]
    torch.manual_seed(1)
    _insert(copy.deepcopy(model), path, "identity")
    random_state = torch.get_rng_state()
    torch.manual_seed(1)
    buffers = {k: v.clone() for k, v in model.named_buffers()}
    _insert(model, path, "test-add-one-parameter")
    assert torch.equal(torch.get_rng_state(), random_state)
    assert [m.training for m in model.modules()][: len(modes)] == modes
    assert all(torch.equal(v, buffers[k]) for k, v in model.named_buffers())
    assert set(model.state_dict()) > keys
    assert all(key.startswith(NAME) for key in set(model.state_dict()) - keys)

    twin = copy.deepcopy(model)
    after = model(x)
    assert [y.shape for y in after] == [y.shape for y in before]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    blocks = list(getattr(model, NAME).values())
    if maps != [None]:
        assert [block.seen[1:] for block in blocks] == maps
    # weighted, as the sum of a normalised map is constant
    sum((y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum() for y in after).backward()
    assert all(block.shift.grad.abs().sum() > 0 for block in blocks if block.seen)

    twin_blocks = list(getattr(twin, NAME).values())
    for block in twin_blocks:
        nn.init.zeros_(block.shift)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(before, twin(x), strict=True)), "the copy still uses the original's blocks"
    assert all((block.shift == 1).all() for block in blocks)


def test_class_tokens_stand_aside_and_the_grid_may_change() -> None:
    model = _Model(_vit("mmpretrain")).eval()
    _insert(model, "backbone.layers.0", "test-add-one-parameter")
    (block,) = getattr(model, NAME).values()
    for size, grid in ((SIZE, (4, 6)), ((96, 32), (6, 2))):
        model(torch.randn(1, 3, *size))
        assert block.seen == (1, 32, *grid)


def test_one_branch() -> None:
    model = _Model({"type": "mmpose.HRNet", "extra": _HRNET})
    _insert(model, "backbone.stage2.0", "test-add-one-parameter", branch=1)
    (block,) = getattr(model, NAME).values()
    assert block.shift.shape[0] == 16
    with pytest.raises(UsageError, match="no branch 7"):
        _insert(model, "backbone.stage2.0", "test-add-one-parameter", branch=7)


def test_a_block_in_a_convolutions_stead() -> None:
    model = _Model({"type": "mmpretrain.ResNet", "depth": 50}).eval()
    _insert(model, "backbone.layer3.1.conv2", "test-add-one-parameter", replace=True)
    assert "backbone.layer3.1.conv2.weight" not in model.state_dict()
    model(torch.randn(1, 3, *SIZE))
    assert getattr(model, NAME)["backbone-layer3-1-conv2@0"].seen == (1, 256, 4, 6)
    with pytest.raises(UsageError, match="another shape"):
        _insert(model, "backbone.layer3.0.conv2", "identity", replace=True)


def test_a_frozen_backbone_takes_blocks_behind_it_only() -> None:
    from harness.benchmarks.parts.frozen import FrozenBackbone

    model = _Model({"type": "mmpretrain.ResNet", "depth": 18})
    model.backbone = FrozenBackbone(model.backbone, "resnet")
    with pytest.raises(UsageError, match=r"Candidates: backbone\.$"):
        _insert(model, "backbone.backbone.layer3", "identity")
    _insert(model, "backbone", "test-add-one-parameter")
    assert next(iter(getattr(model, NAME).values())).shift.shape[0] == 512


@pytest.mark.parametrize(
    ("path", "reason", "candidate"),
    [
        ("backbone.layer33", "calls no such module", "backbone.layer3"),
        ("neck.convs", "calls no such module", "backbone.layer4"),
        ("backbone.layer1.0.relu", "runs 2 times", "backbone.layer1.0"),
    ],
)
def test_a_wrong_path_lists_the_candidates(path: str, reason: str, candidate: str) -> None:
    model = _Model({"type": "mmpretrain.ResNet", "depth": 18})
    with pytest.raises(UsageError, match=reason) as caught:
        _insert(model, path, "identity")
    shown = str(caught.value).split("Candidates: ")[1]
    assert candidate in shown.split(" and ")[0].split(", ")
    assert len(shown) < 500
    assert not hasattr(model, NAME)


def test_a_place_is_taken_once() -> None:
    model = _Model({"type": "mmpretrain.ResNet", "depth": 18})
    place = {"path": "backbone.layer3", "branch": None, "plugin": "identity", "params": {}}
    with pytest.raises(UsageError, match="twice"):
        insert_blocks(model, [place, place], SIZE)


def test_a_block_that_changes_the_shape_is_named() -> None:
    @attention_method("test-halves", slot="block")
    class Halves(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[..., ::2]

    model = _Model({"type": "mmpretrain.ResNet", "depth": 18})
    _insert(model, "backbone.layer3", "test-halves")
    with pytest.raises(UsageError, match="test-halves"):
        model(torch.randn(1, 3, *SIZE))


def test_a_block_of_its_own_for_each_module_that_a_path_fits() -> None:
    """Before the second convolution of every basic block, where polarized self-attention has it, and in no bottleneck."""
    model = _Model({"type": "mmpose.HRNet", "extra": _HRNET})
    insert_blocks(model, [{"path": "backbone.stage?.*.branches.*.conv2", "before": True, "plugin": "test-add-one-parameter"}], SIZE)
    blocks = model.get_submodule(NAME)
    assert len(blocks) == 2 + 3 + 4 and not any("layer1" in name for name in blocks)
    second = model.backbone.stage2[0].branches[0][0].conv2
    seen = []
    second.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    relu = model.backbone.stage2[0].branches[0][0].relu
    before = []
    relu.register_forward_hook(lambda _module, _inputs, output: before.append(output.clone()))
    model.eval()(torch.rand(1, 3, *SIZE))
    torch.testing.assert_close(seen[0], before[0] + 1)
    for path, reason in (("backbone.stage9.*", "fits no module"), ("backbone.stage2.0", "keeps the shape")):
        with pytest.raises(UsageError, match=reason):
            insert_blocks(_Model({"type": "mmpose.HRNet", "extra": _HRNET}), [{"path": path, "before": True, "plugin": "se"}], SIZE)
