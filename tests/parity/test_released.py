"""Released decode heads of mmseg, as its base configurations build them, are heads of this harness: every tensor, every output."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from harness.catalog.plugins import discover, load_plugins

CONFIGS = {
    "identity": "fcn_r50-d8",
    "non-local": "nonlocal_r50-d8",
    "gc-block": "gcnet_r50-d8",
    "dnl": "dnl_r50-d8",
    "aspp-deeplabv3": "deeplabv3_r50-d8",
    "danet": "danet_r50-d8",
    "ccnet": "ccnet_r50-d8",
    "ann": "ann_r50-d8",
    "emanet": "emanet_r50-d8",
    "isanet": "isanet_r50-d8",
    "ocrnet": "ocrnet_r50-d8",
    "ocrnet on HRNet": "ocrnet_hr18",
    "psanet": "psanet_r50-d8",
}
"""Plugin -> mmseg's base configuration."""

SIZES = {"aspp-deeplabv3": (37, 13)}
"""Maps on which dilated convolutions reach past their middle; (5, 7) where that does not matter."""


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    load_plugins({name.partition(" ")[0] for name in CONFIGS}, discover())


def configured(name: str) -> dict[str, Any]:
    """mmseg's base configuration of the heads; decode heads only."""
    folder = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim" / "configs" / "_base_" / "models"
    return Config.fromfile(folder / f"{CONFIGS[name]}.py").model["decode_head"]


def random(module: nn.Module) -> nn.Module:
    """Nothing is left at a special value, running averages included; activations stay of order one."""
    torch.manual_seed(0)
    for tensor in module.state_dict().values():
        if not tensor.is_floating_point():
            continue
        tensor.uniform_(0.5, 1.5) if tensor.ndim < 2 else tensor.normal_(std=(tensor[0].numel() / 2) ** -0.5)
    return module.eval()


class PSAMask(nn.Module):
    """mmcv's compiled op, a loop over positions: (B, M_h M_w, H, W) -> (B, H W, H, W)."""

    def __init__(self, kind: str, size: tuple[int, int]):
        super().__init__()
        self.kind, self.size = kind, size

    def forward(self, mask: Tensor) -> Tensor:
        rows, columns = self.size
        batch, _, height, width = mask.shape
        out = mask.new_zeros(batch, height * width, height, width)
        for h in range(height):
            for w in range(width):
                for y in range(height):
                    for x in range(width):
                        row, column = y - h + rows // 2, x - w + columns // 2
                        if 0 <= row < rows and 0 <= column < columns:
                            value = mask[:, row * columns + column, h, w]
                            if self.kind == "collect":
                                out[:, y * width + x, h, w] = value
                            else:
                                out[:, h * width + w, y, x] = value
        return out


def theirs(name: str) -> nn.Module:
    from mmengine.registry import MODELS

    config = configured(name)
    heads = [MODELS.build({**head, "type": f"mmseg.{head['type']}"}) for head in (config if isinstance(config, list) else [config])]
    if name == "psanet":
        for kind in ("collect", "distribute"):
            setattr(heads[0], f"psamask_{kind}", PSAMask(kind, tuple(heads[0].mask_size)))
    return random(nn.ModuleList(heads) if len(heads) > 1 else heads[0])


def levels(config: Any) -> list[int]:
    """Widths of the maps that the heads read, shallow to deep."""
    last = config[-1] if isinstance(config, list) else config
    widths = last["in_channels"]
    if isinstance(config, list) and isinstance(widths, int):
        return [config[0]["in_channels"], widths]
    return list(widths) if isinstance(widths, list | tuple) else [widths]


def ours(name: str) -> nn.Module:
    from mmengine.registry import MODELS

    from harness.benchmarks.segmentation.heads import MMSEG, Head

    config, plugin = configured(name), name.partition(" ")[0]
    last, widths = config[-1] if isinstance(config, list) else config, levels(config)
    concat = last.get("input_transform") == "resize_concat"
    return MODELS.build(
        {
            "type": "ContextHead",
            "plugin": plugin,
            "params": MMSEG.get(plugin, Head()).params,
            # a head that concatenates its maps has no shallower one beside them
            "level_channels": [sum(widths)] if concat else widths,
            "in_channels": widths if concat else widths[-1],
            "in_index": list(range(len(widths))) if concat else len(widths) - 1,
            "input_transform": "resize_concat" if concat else None,
            "channels": last["channels"],
            "num_classes": last["num_classes"],
            "norm_cfg": last["norm_cfg"],
            **MMSEG.get(plugin, Head()).of_width(512),
        }
    ).eval()


def maps(name: str) -> list[Tensor]:
    size = SIZES.get(name, (5, 7))
    return [torch.randn(1, width, *size, generator=torch.Generator().manual_seed(width)).relu() for width in levels(configured(name))]


def agree(mine: Tensor, expected: Tensor) -> None:
    spread = expected.std()
    assert spread > 0.1 and (mine - expected).abs().max() <= 1e-4 * spread


def test_the_heads_of_a_benchmark_have_the_parameters_of_released_ones():
    from harness_plugins.context.released import SETTINGS

    from harness.benchmarks.segmentation.heads import MMSEG

    assert {plugin: dict(head.params) for plugin, head in MMSEG.items() if head.params} == SETTINGS


@pytest.mark.parametrize(("method", "millions"), [("isanet", 11.9), ("ann", 20.4), ("emanet", 16.5), ("dnl-add-disentangled-key", None)])
def test_a_benchmark_offers_both_forms_of_a_head(method, millions):
    """What the registry composes is what mmseg's configuration builds, or the skeleton around the same method."""
    from mmengine.registry import MODELS

    from harness import benchmarks
    from harness.catalog import load_catalog

    catalog = load_catalog()
    load_plugins({filling.plugin for filling in catalog.methods[method].slots.values()}, discover())

    def count(form: str, bench: str = "cityscapes-mmseg") -> int:
        entry = catalog.benchmarks[bench]
        entry = entry.model_copy(update={"model": entry.model | {"head": form}})
        task = benchmarks.task(entry)
        config = task.config(catalog.methods[method].fill(task.slots))["model"]["model"]["decode_head"]
        return sum(value.numel() for value in MODELS.build(config).parameters())

    plugin = next(iter(catalog.methods[method].slots.values())).plugin
    assert count("mmseg") == sum(value.numel() for value in theirs(plugin).parameters())
    if millions is not None:
        assert round(count("mmseg", "ade20k") / 1e6, 1) == millions and count("skeleton", "ade20k") > 24e6


@pytest.mark.parametrize("name", CONFIGS)
def test_a_released_head_loads_and_gives_the_same_logits(name):
    from harness_plugins.context.released import from_mmseg

    released, head = theirs(name), ours(name)
    head.load_state_dict(from_mmseg(name.partition(" ")[0], released.state_dict()), strict=True)
    inputs = maps(name)
    with torch.no_grad():
        mine = head(inputs)
        # mmseg numbers the backbone's levels from the shallowest, of which only the last are read
        padded = [None] * (4 - len(inputs)) + inputs
        expected = released[1](padded, released[0](padded)) if isinstance(released, nn.ModuleList) else released(padded)
    agree(mine, expected[0] if isinstance(expected, tuple) else expected)


def test_the_branches_of_a_released_danet_give_the_same_logits_and_the_head_the_same_loss():
    from harness_plugins.context.released import from_mmseg
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    released, head = theirs("danet"), ours("danet")
    head.load_state_dict(from_mmseg("danet", released.state_dict()), strict=True)
    inputs, auxiliary = maps("danet"), {}
    labels = torch.randint(0, 19, (1, 20, 28), generator=torch.Generator().manual_seed(0))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=labels))]
    with torch.no_grad():
        _, *branches = released([None] * 3 + inputs)
        head._forward_feature(inputs, auxiliary)
        mine, other = head.loss(inputs, samples, {}), released.loss([None] * 3 + inputs, samples, {})
    for name, expected in zip(("pam", "cam"), branches, strict=True):
        agree(auxiliary[name], expected)
    total = sum(value for name, value in other.items() if "loss" in name)
    torch.testing.assert_close(sum(value for name, value in mine.items() if "loss" in name), total)


def test_a_head_of_another_method_is_refused():
    from harness_plugins.context.released import from_mmseg

    with pytest.raises(KeyError, match="nl_block"):
        from_mmseg("dnl", {"nl_block.g.conv.weight": torch.zeros(1)})
