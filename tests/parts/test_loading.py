"""Checkpoints as people bring them: the exact tensors in the backbone, or a sentence."""

from __future__ import annotations

import argparse
import contextlib
import io
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file
from torch import nn

from harness import openmmlab
from harness.benchmarks.parts.weights import load_backbone
from harness.errors import UsageError


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, bias=False), nn.BatchNorm2d(width)


class Net(nn.Module):
    """Layers of like shapes, so that only names or a true order tell them apart."""

    def __init__(self, depth=11, width=4):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.layers = nn.ModuleList(Block(width) for _ in range(depth))


def network(seed: int, **options) -> OrderedDict:
    torch.manual_seed(seed)
    net = Net(**options)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape)
            value.copy_(drawn.abs() if name.endswith("running_var") else drawn)
    return OrderedDict((name, value.clone()) for name, value in net.state_dict().items())


A, B = network(1), network(2)


def under(prefix, state=A):
    return OrderedDict((prefix + name, value) for name, value in state.items())


def renamed(state=A, prefix=""):
    """As another library would call the same layers."""
    names = {"stem.": "features.conv_first.", "layers.": "stages.", "conv": "convolution_", "bn": "norm_"}
    result = OrderedDict()
    for name, value in state.items():
        for old, new in names.items():
            name = name.replace(old, new)
        result[prefix + name] = value
    return result


def sorted_by_name(state):
    return OrderedDict(sorted(state.items()))


def load(tmp_path, content, **options):
    """The loaded backbone's state and the note."""
    file = tmp_path / "weights.pth"
    if not file.exists():
        torch.save(content, file)
    net = Net(**options.pop("net", {}))
    told = options.pop("told", [])
    note = load_backbone(net, tell=lambda what, mend: told.append(what), weights={"file": str(file), **options})
    return net.state_dict(), note


def same(state, expected, dtype=torch.float32):
    # the counter of batches is no weight
    return all(torch.equal(state[name], expected[name].to(dtype)) for name in state if "num_batches" not in name)


SINGLE = {
    "plain": A,
    "sorted": sorted_by_name(A),
    "prefix": under("module."),
    "prefixes": {"state_dict": under("module.backbone.")},
    "any prefix": under("who.knows.what."),
    "compiled": {"model": under("_orig_mod.")},
    "lightning": {"state_dict": under("model."), "pytorch-lightning_version": "2.1", "hyper_parameters": {"lr": 0.1}, "callbacks": {}},
    "nested": {"net": {"ema": {"module": A}}},
    "trainer": {"state_dict": A, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "args": argparse.Namespace(lr=1)},
    "mmengine": {"state_dict": A, "meta": {"best": np.float64(1.0)}, "message_hub": {"log_scalars": {"loss": HistoryBuffer([1.0], [1])}}},
    "classifier": {"state_dict": {**A, "fc.weight": torch.zeros(5, 4), "fc.bias": torch.zeros(5)}},
    "no counters": {name: value for name, value in A.items() if "num_batches" not in name},
    "parameters": {name: nn.Parameter(v) if v.is_floating_point() else v for name, v in A.items()},
    "other names": renamed(),
    "other names and a classifier": {"state_dict": {**renamed(), "head.weight": torch.zeros(5, 4)}},
    "another network before": {"text": {"a.weight": torch.zeros(2, 2)}, **{f"visual.{name}": v for name, v in renamed().items()}},
    "a smaller student beside": {"student": network(3, depth=2), "teacher": A},
}


@pytest.mark.parametrize("form", SINGLE)
def test_one_network_is_found_in_any_form(tmp_path, form):
    state, note = load(tmp_path, SINGLE[form])
    assert same(state, A)
    assert "112 tensors loaded" in note
    assert ("in their order, by other names" in note) == ("names" in form or "before" in form)


def test_the_note_tells_what_was_left(tmp_path):
    _, note = load(tmp_path, SINGLE["classifier"])
    assert note == (
        "weights weights.pth: 112 tensors loaded by name under 'state_dict'; 0 missing, "
        "2 unexpected (state_dict.fc.weight, state_dict.fc.bias)"
    )


def test_a_backbone_that_stops_early_takes_the_beginning(tmp_path):
    for content in (A, renamed()):
        (tmp_path / "weights.pth").unlink(missing_ok=True)
        state, note = load(tmp_path, content, net={"depth": 3}, told=(told := []))
        assert same(state, A) and "80 unexpected" in note
        assert told == [f"the backbone takes the first 3 of 11 blocks in {'layers' if content is A else 'stages'} of weights.pth"]


def staged(*depths: int, widths=(4, 6, 8), last=0) -> nn.Module:
    """A residual network: a stem, and stages of like blocks that are wider each time."""
    net = nn.Module()
    net.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=False), 1):
        setattr(net, f"layer{stage}", nn.Sequential(*(Block(width) for _ in range(depth))))
    net.norms = nn.ModuleList(nn.LayerNorm(4) for _ in range(last))
    return net


def beside(state):
    """As a detector's file holds it."""
    heads = {f"neck.convs.{level}.conv.weight": torch.zeros(4) for level in range(4)}
    return {"state_dict": {**under("backbone.", state), **heads, "head.layer1.2.conv1.weight": torch.zeros(4, 4, 3, 3)}}


@pytest.mark.parametrize("form", [dict, beside, sorted_by_name, lambda state: under("net.0.", state) | {"net.1.0.weight": torch.zeros(4)}])
def test_weights_of_a_deeper_network_are_refused_and_stages_may_be_left_out(tmp_path, form):
    def load(own, there) -> list[str]:
        torch.save(form(there.state_dict()), tmp_path / "weights.pth")
        cut: list[str] = []
        load_backbone(own, {"file": str(tmp_path / "weights.pth")}, lambda what, mend: cut.append(what))
        return cut

    assert load(staged(2, 2, 2), staged(2, 2, 2)) == []
    assert load(staged(2, 2), staged(2, 2, 2)) == []
    assert load(staged(2, 2, last=1), staged(2, 2, 2, last=4)) == []
    assert load(staged(2, 2), staged(2, 3, 2)) == ["the backbone takes the first 2 of 3 blocks in layer2 of weights.pth"]
    for there in (staged(3, 4, 2), staged(3, 2, 2), staged(2, 3, 3, 3)):
        with pytest.raises(UsageError, match=r"weights\.pth is of a deeper network: the backbone would take 2 of [34] blocks in layer"):
            load(staged(2, 2, 2), there)


VIT = {"arch": {"embed_dims": 12, "num_layers": 2, "num_heads": 2, "feedforward_channels": 24}, "img_size": 16, "patch_size": 8}


@pytest.mark.parametrize(
    ("theirs", "mine", "lost"),
    [
        ({"layer_scale_init_value": 1e-5}, {}, "of the tensors of weights.pth .* 4 have .*: backbone.layers.0.attn.gamma1.weight, "),
        ({"layer_scale_init_value": 1e-5}, {"layer_scale_init_value": 1e-5}, None),
        ({}, {"qkv_bias": False}, "of the tensors of weights.pth .* 2 have .*: backbone.layers.0.attn.qkv.bias, "),
        ({}, {"final_norm": False, "out_type": "featmap"}, None),
    ],
)
def test_parts_of_blocks_that_the_backbone_lacks_are_told(openmmlab, tmp_path, theirs, mine, lost):
    """DINOv2's in a transformer that was not told of LayerScale: 30 tensors by name, none missing, and other features."""
    from mmengine.registry import MODELS

    there, here = (MODELS.build({"type": "mmpretrain.VisionTransformer", **VIT, **options}) for options in (theirs, mine))
    content = {f"backbone.{name}": value for name, value in there.state_dict().items()}
    content |= {"head.layers.0.weight": torch.ones(3, 12), "backbone.layers.0.attn_mask": torch.zeros(4, 4)}
    torch.save({"state_dict": content}, tmp_path / "weights.pth")
    told: list[str] = []
    load_backbone(here, {"file": str(tmp_path / "weights.pth")}, lambda what, mend: told.append(what))
    assert len(told) == bool(lost) and all(re.match(lost.replace("backbone.", r"state_dict\.backbone\."), what) for what in told)


@pytest.mark.parametrize(
    ("kind", "arch", "name"), [("EfficientNet", "b0", "efficientnet_b0"), ("EfficientNetV2", "s", "efficientnet_v2_s")]
)
def test_padding_of_another_library_is_told_and_its_own_network_has_its_features(openmmlab, tmp_path, kind, arch, name):
    """The tensors fit, and say nothing of padding at one side, nor of the norms' eps."""
    import torchvision
    from mmengine.registry import MODELS

    from harness.benchmarks.parts.foreign import TorchvisionBackbone

    theirs = torchvision.models.get_model(name)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    told: list[list[str]] = [[], []]
    backbones = [MODELS.build({"type": f"mmpretrain.{kind}", "arch": arch}), TorchvisionBackbone(name)]
    for backbone, said in zip(backbones, told, strict=True):
        load_backbone(backbone, {"file": str(tmp_path / "weights.pth")}, lambda what, mend, said=said: said.append(what))
    assert told == [["the backbone pads as TensorFlow does, and weights.pth, by its names, is of another library"], []]
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for network in (theirs, *backbones):
            network.eval()
        wanted = theirs.features(x)
        off, same = ((backbone(x)[-1] - wanted).norm() / wanted.norm() for backbone in backbones)
    assert same < 1e-5 < 1e-4 < off


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_cast_and_said(tmp_path, kind):
    content = {name: value.to(kind) if value.is_floating_point() else value for name, value in A.items()}
    state, note = load(tmp_path, content)
    assert all(torch.equal(state[name], content[name].float()) for name in state if "num_batches" not in name)
    assert f"cast from {str(kind)[6:]}" in note and state["stem.weight"].dtype == torch.float32


def test_safetensors_are_read(tmp_path):
    save_file({f"backbone.{name}": value for name, value in A.items()}, tmp_path / "weights.pth")
    assert same(load(tmp_path, None)[0], A)
    (tmp_path / "weights.pth").write_bytes((tmp_path / "weights.pth").read_bytes()[:-40])
    with pytest.raises(UsageError, match="cut off or no safetensors"):
        load(tmp_path, None)


SEVERAL = {
    "ema": ({"model": A, "model_ema": B}, {"model": A, "model_ema": B}),
    "timm": ({"state_dict": A, "state_dict_ema": B}, {"state_dict": A, "state_dict_ema": B}),
    "mmengine": ({"state_dict": under("backbone."), "ema_state_dict": under("module.backbone.", B)}, {"ema_state_dict": B}),
    "dino": ({"teacher": under("module.backbone.", B), "student": under("module.backbone.")}, {"teacher": B, "student": A}),
    "byol": ({"state_dict": {**under("online."), **under("target.", B)}}, {"online": A, "target": B}),
    "moco": ({"state_dict": {**under("module.encoder_k.", B), **under("module.encoder_q.")}}, {"encoder_q": A, "module.encoder_k": B}),
    "beside": ({**A, **under("ema.", B)}, {".": A, "ema": B}),
    "other names": ({**renamed(A, "online."), **renamed(B, "target.")}, {"online": A, "target": B}),
}


@pytest.mark.parametrize("form", SEVERAL)
def test_of_several_networks_one_is_chosen_by_name(tmp_path, form):
    content, keys = SEVERAL[form]
    with pytest.raises(UsageError, match=r"holds 2 networks: .*, .*\. Say which with model\.weights\.key=NAME\.") as refused:
        load(tmp_path, content)
    for key, expected in keys.items():
        assert key.rpartition("module.")[2] in str(refused.value)
        assert same(load(tmp_path, None, key=key)[0], expected), key
    with pytest.raises(UsageError, match="unknown network 'nobody'"):
        load(tmp_path, None, key="nobody")


def test_a_key_that_is_in_no_name_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds a single network, and 'teacher' is not in its names"):
        load(tmp_path, A, key="teacher")


class Boom:
    def __reduce__(self):
        return print, ("this ran",)


def without(name):
    return {key: value for key, value in A.items() if key != name}


REFUSED = {
    "a module": (Net(), "holds a pickled object, and loading that could run code"),
    "a module in a mapping": ({"model": Net(), "epoch": 3}, "holds a pickled object"),
    "no tensors": ({"epoch": 3}, "holds no tensors by name"),
    "one tensor missing": (without("layers.3.bn1.running_var"), r"of the backbone's 112 tensors it lacks layers\.3\.bn1\.running_var\."),
    "another width": (network(1, width=5), r"'stem\.weight' has shape \(4, 3, 3, 3\), the file has \(5, 3, 3, 3\) in its place"),
    "shallower": (network(1, depth=10), r"it lacks layers\.10\.conv1\.weight, .* and 7 more"),
    "another network": ({"a.weight": torch.zeros(4, 3, 3, 3)}, r"none of its names \(a\.weight\) is one of the backbone's"),
    "other names, sorted": (sorted_by_name(renamed()), "none of its names"),
    "not finite": ({**A, "stem.bias": torch.full((4,), torch.nan)}, r"'stem\.bias' holds values that are not finite"),
    "variances below zero": (
        {**A, "layers.3.bn1.running_var": torch.full_like(A["layers.3.bn1.running_var"], -1)},
        r"'layers\.3\.bn1\.running_var' holds variances below zero",
    ),
    "nothing": ({name: torch.zeros_like(value) for name, value in A.items()}, "the weights of all layers are zero"),
    "whole numbers": ({**A, "stem.bias": torch.ones(4, dtype=torch.int8)}, r"the file has \(4,\) of int8 in its place"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_does_not_fit_is_refused_with_its_reason(tmp_path, form):
    content, reason = REFUSED[form]
    with pytest.raises(UsageError, match=reason):
        load(tmp_path, content)


def test_sorted_layers_are_not_matched_by_order(tmp_path):
    """1, 10, 2: every shape and every ending agrees, and nearly every layer would get another one's tensors."""
    by_layer = sorted(renamed().items(), key=lambda item: item[0].split(".")[:2])
    with pytest.raises(UsageError, match="none of its names"):
        load(tmp_path, OrderedDict(by_layer))


def test_order_does_not_contradict_names(tmp_path):
    swapped = OrderedDict((name.replace("layers.0", "layers.x").replace("layers.1.", "layers.0."), v) for name, v in A.items())
    with pytest.raises(UsageError, match="of another network"):
        load(tmp_path, swapped)


def test_nothing_in_a_file_runs(tmp_path, capsys):
    for content in ({"state_dict": A, "extra": Boom()}, Boom()):
        torch.save(content, tmp_path / "weights.pth")
        with contextlib.suppress(UsageError):
            load(tmp_path, None)
        plain = io.BytesIO()
        pickle.dump(content, plain)
        (tmp_path / "weights.pth").write_bytes(plain.getvalue())
        with pytest.raises(UsageError, match="is refused"):
            load(tmp_path, None)
    assert "this ran" not in capsys.readouterr().out


def test_a_torn_file_is_refused(tmp_path):
    torch.save(A, tmp_path / "weights.pth")
    (tmp_path / "weights.pth").write_bytes((tmp_path / "weights.pth").read_bytes()[:3000])
    with pytest.raises(UsageError, match="not a checkpoint, or cut off"):
        load(tmp_path, None)


def test_an_old_file_is_read(tmp_path):
    torch.save({"state_dict": A}, tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    assert same(load(tmp_path, None)[0], A)


def test_a_file_replaced_after_planning_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has sha256 .*…, expected 00000000"):
        load(tmp_path, A, sha256="00000000")


class Positions(nn.Module):
    """With a table of positions that its own way to load resizes, as mmpretrain's transformers do."""

    def __init__(self, tokens, resizes=True):
        super().__init__()
        self.layer, self.pos_embed = nn.Linear(4, 4), nn.Parameter(torch.zeros(1, tokens, 4))
        if resizes:
            self._register_load_state_dict_pre_hook(self._shorter)

    def _shorter(self, state, prefix, *_):
        state[f"{prefix}pos_embed"] = state[f"{prefix}pos_embed"][:, : self.pos_embed.shape[1]]


def test_positions_that_the_backbone_resizes(tmp_path):
    given = Positions(9).state_dict()
    torch.save({"model": given}, tmp_path / "w.pth")
    net = Positions(4)
    assert "pos_embed resized from (1, 9, 4) to (1, 4, 4)" in load_backbone(net, {"file": str(tmp_path / "w.pth")})
    assert torch.equal(net.layer.weight, given["layer.weight"])
    for other in (Positions(4, resizes=False), Positions(16)):
        with pytest.raises(UsageError, match=r"pos_embed' has shape .* Make the images the size"):
            load_backbone(other, {"file": str(tmp_path / "w.pth")})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model-00001-of-00002.safetensors", "one of 2 files that hold a network together"),
        ("model.safetensors.index.json", "says which file holds which tensor"),
        ("folder", r"is a folder. Name the file in it: w\.pth"),
        ("w.npz", r"arrays of NumPy \(\.npz\)"),
    ],
)
def test_what_holds_weights_in_another_way_is_told(tmp_path, name, says):
    file = tmp_path / name
    if name == "folder":
        file.mkdir()
        torch.save(A, file / "w.pth")
    elif name.endswith("npz"):
        np.savez(file, **{key: value.numpy() for key, value in A.items()})
    elif name.endswith("json"):
        file.write_text('{"weight_map": {}}')
    else:
        save_file(dict([*A.items()][:9]), file)
    with pytest.raises(UsageError, match=says):
        load_backbone(Net(), {"file": str(file)})


def test_a_hook_that_takes_tables_away_to_make_them_anew_is_no_loss(tmp_path):
    openmmlab.setup()
    from mmpretrain.models import SwinTransformerV2

    arch = {"embed_dims": 32, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8], "extra_norm_every_n_blocks": 0}

    def network(seed):
        torch.manual_seed(seed)
        return SwinTransformerV2(arch=arch, img_size=32, window_size=4, pad_small_map=True)

    first, second = network(1), network(2)
    torch.save(first.state_dict(), tmp_path / "swin.pth")
    load_backbone(second, {"file": str(tmp_path / "swin.pth")})
    first.train(False), second.train(False)
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(first(image)[0], second(image)[0])
