"""Backbones by name and by hand: what they return is what is said of them, wherever they come from."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch
from safetensors.torch import save_file

from harness import openmmlab
from harness.benchmarks import backbones, measured, task
from harness.benchmarks.backbones import BACKBONES, features
from harness.benchmarks.options import ModelOptions
from harness.benchmarks.parts.weights import load_backbone
from harness.catalog import Benchmark, load_catalog
from harness.errors import UsageError

needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    measured._maps.cache_clear()
    yield tmp_path
    measured._maps.cache_clear()


def built(config):
    openmmlab.mend()
    from mmengine.registry import MODELS

    from harness.benchmarks.parts import foreign

    assert foreign
    return MODELS.build(config)


def maps(network, size=(64, 96)):
    network.eval()
    with torch.no_grad():
        return network(torch.zeros(1, 3, *size))


def test_a_network_of_torchvision_is_measured_once(cache, monkeypatch):
    """Its levels are those of the same network of OpenMMLab, the stem before them; nobody is asked a second time."""
    found = features(ModelOptions(backbone="torchvision:resnet18"), levels=[2, 4])
    ours = [BACKBONES["resnet18"].levels[level] for level in (1, 3)]
    assert list(zip(found.channels, (8, found.stride), strict=True)) == ours
    assert [tuple(one.shape) for one in maps(built(found.config))] == [(1, 128, 8, 12), (1, 512, 2, 3)]
    measured._maps.cache_clear()
    monkeypatch.setattr(measured.subprocess, "run", lambda *_, **__: pytest.fail("it was remembered"))
    assert features(ModelOptions(backbone="torchvision:resnet18"), pair=True).channels == [256, 512]
    with pytest.raises(UsageError, match="has no level 7"):
        features(ModelOptions(backbone="torchvision:resnet18"), levels=[7])


@pytest.mark.parametrize(
    "name", ["vgg11", "mobilenet_v3_small", "densenet121", "convnext_tiny", "swin_t", "shufflenet_v2_x0_5", "regnet_y_400mf"]
)
def test_levels_of_torchvisions_networks_are_ordered_by_stride(name):
    from harness.benchmarks.parts.foreign import maps_of

    found = maps_of(built({"type": "TorchvisionBackbone", "name": name}))
    strides = [stride for _, stride in found]
    assert None not in strides and strides == sorted(set(strides)) and strides[-1] == 32


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("torchvision:resnet81", "Did you mean 'resnet18'"),
        ("torchvision:vit_b_16", "has no maps"),
        ("timm:hf-hub:someone/something", "write the name of a network of timm"),
        ("torchvision:../x", "write the name of a network of torchvision"),
        ("keras:resnet18", "unknown backbone"),
    ],
)
def test_names_that_are_none_are_refused(cache, name, says):
    with pytest.raises(UsageError, match=says):
        features(ModelOptions(backbone=name))
    assert not list(cache.rglob("*.json")), "a refusal is not remembered"


def test_without_timm_the_error_names_the_package(cache, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install timm"):
        features(ModelOptions(backbone="timm:resnet18"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet-thin", "mobilenet-v2", "efficientnet-b0"])
def test_a_config_without_widths_is_measured(cache, name):
    """As the table says them, which other tests hold against the network itself."""
    known = BACKBONES[name]
    config = {**known.config, "out_indices": [*known.levels]}
    if name == "efficientnet-b0":  # the level between is no output of its own
        config["out_indices"] = known.pair
    found = features(ModelOptions(backbone=config))
    assert found.channels == [known.levels[level][0] for level in config["out_indices"]]
    assert found.stride == known.levels[config["out_indices"][-1]][1] and found.config == config
    assert list(cache.rglob("*.json"))


@pytest.mark.slow
def test_a_config_that_cannot_be_built_says_why(cache):
    with pytest.raises(UsageError, match="depth"):
        features(ModelOptions(backbone={"type": "mmpretrain.ResNet"}))


def test_weights_of_a_network_in_a_module_around_it(tmp_path):
    """Its files know nothing of that module; they are named as its own library names them, in no order."""
    network = built({"type": "TorchvisionBackbone", "name": "resnet18", "out_indices": [4]})
    import torchvision

    source = torchvision.models.resnet18()
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    said = load_backbone(network, {"file": str(tmp_path / "w.safetensors")})
    assert "by name" in said and "0 missing, 2 unexpected (fc.bias, fc.weight)" in said
    own = network.state_dict()
    assert all(own[f"model.{name}"].equal(value) for name, value in source.state_dict().items() if not name.startswith("fc."))


@needs_timm
@pytest.mark.parametrize(
    ("name", "strides"), [("resnet18", [2, 4, 8, 16, 32]), ("convnext_atto", [4, 8, 16, 32]), ("vit_tiny_patch16_224", [16] * 12)]
)
def test_a_network_of_timm(tmp_path, name, strides):
    """Its own weights fit by name, and its maps are timm's."""
    from harness.benchmarks.parts.foreign import is_timm_transformer, maps_of

    network = built({"type": "TimmBackbone", "name": name})
    assert [stride for _, stride in maps_of(network)] == strides
    last = len(strides) - 1
    network = built({"type": "TimmBackbone", "name": name, "out_indices": [1, last]})
    source = sys.modules["timm"].create_model(name, pretrained=False)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    assert "0 missing" in load_backbone(network, {"file": str(tmp_path / "w.safetensors")})
    image = torch.randn(1, 3, 224, 224)
    network.eval(), source.eval()
    with torch.no_grad():
        ours, theirs = network(image), source.forward_intermediates(image, indices=[1, last], norm=True, intermediates_only=True)
    assert all(a.equal(b) for a, b in zip(ours, theirs, strict=True)) and ours[1].ndim == 4
    assert is_timm_transformer(name) == name.startswith("vit")


@pytest.mark.parametrize("family", ["classification", "segmentation", "object-localization", "keypoint", "camera-localization"])
def test_every_family_takes_a_network_of_a_library(cache, family):
    """Composed without torch: the widths and the stride reach necks and heads."""
    entry = next(entry for entry in load_catalog().benchmarks.values() if entry.family == family and entry.tier == "synthetic")
    model = {**entry.model, "backbone": "torchvision:resnet18", "weights": None, "frozen": False}
    for name in ("levels", "block_at", "deconv"):
        model.pop(name, None)
    data = entry.data | ({"size": [96, 64]} if family == "keypoint" else {})
    found = task(Benchmark(**{**entry.model_dump(), "model": model, "data": data})).config({})
    assert found["model"]["model"]["backbone"]["type"] == backbones.LIBRARIES["torchvision"]
    assert "512" in str(found["model"]["model"])
