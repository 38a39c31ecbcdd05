"""Weights of a benchmark: known by content, and refused in the plan where a trial could not use them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from safetensors.torch import save_file

from harness.benchmarks import register, task
from harness.benchmarks.check_model import check_model
from harness.benchmarks.fetching import fetch
from harness.benchmarks.options import Weights
from harness.benchmarks.weights import ADDRESSES, find
from harness.catalog import Benchmark, load_catalog
from harness.catalog.plugins import discover
from harness.compose import compose
from harness.data import ready
from harness.errors import UsageError

RESNET = {
    "type": "mmpretrain.ResNet",
    "depth": 18,
    "stem_channels": 8,
    "base_channels": 8,
    "num_stages": 2,
    "strides": [1, 2],
    "dilations": [1, 1],
    "out_indices": [1],
    "_channels": 16,
    "_stride": 8,
}


def bench(family="classification", data=None, schedule=None, **model) -> Benchmark:
    data = {"format": "synthetic", "train": 16, "test": 12, "size": 32} | (data or {})
    return Benchmark(id="b", family=family, data=data, model=model, schedule=schedule or {})


def trial(**model):
    return compose(load_catalog().methods["gap"], task(bench(**model)), 0, "data", discover())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pth").write_bytes(b"first")
    (tmp_path / "b.pth").write_bytes(b"second")
    return tmp_path


def test_the_same_content_anywhere_is_the_same_trial(folder):
    os.makedirs("sub")
    (folder / "sub" / "copy.bin").write_bytes(b"first")
    one = trial(weights={"file": "a.pth"})
    for file in ("sub/copy.bin", str(folder / "a.pth"), "./a.pth"):
        assert trial(weights={"file": file}).digest == one.digest
    assert trial(weights={"file": "a.pth", "sha256": one.config["model"]["weights"]["sha256"][:9]}).digest == one.digest
    assert str(folder) not in json.dumps(one.config) and "a.pth" not in json.dumps(one.config)
    assert trial(weights={"file": "b.pth"}).digest != one.digest
    assert trial(weights={"file": "a.pth", "key": "teacher"}).digest != one.digest


def test_a_replaced_file_is_another_trial(folder):
    before = trial(weights={"file": "a.pth"})
    (folder / "a.pth").write_bytes(b"third")
    assert trial(weights={"file": "a.pth"}).digest != before.digest


def test_a_link_is_what_it_leads_to(folder):
    (folder / "link.pth").symlink_to("a.pth")
    before = trial(weights={"file": "link.pth"})
    assert before.digest == trial(weights={"file": "a.pth"}).digest
    (folder / "link.pth").unlink()
    (folder / "link.pth").symlink_to("b.pth")
    assert trial(weights={"file": "link.pth"}).digest != before.digest


def test_where_the_file_lies_is_filled_in_for_the_trial(folder):
    from harness.compose.bare import bare_config

    planned = trial(weights={"file": "a.pth"})
    weights = bare_config(planned, folder / "data", folder)["model"]["weights"]
    assert weights["file"] == str(folder / "a.pth") and "$" not in json.dumps(weights)
    (folder / "a.pth").write_bytes(b"third")
    with pytest.raises(UsageError, match="expected"):
        find(Weights(**weights))


@pytest.mark.parametrize("written", [{"init_cfg": "pretrained"}, {"init_cfg": ["pretrained"]}, {"pretrained": "a.pth"}])
def test_a_checkpoint_in_the_backbones_config_is_weights(folder, written):
    pretrained = {"type": "Pretrained", "checkpoint": "a.pth"}
    if "init_cfg" in written:
        written = {"init_cfg": [pretrained] if isinstance(written["init_cfg"], list) else pretrained}
    by_hand, plain = trial(backbone={**RESNET, **written}), trial(backbone=RESNET, weights={"file": "a.pth"})
    assert by_hand.digest == plain.digest and by_hand.files == plain.files


def test_other_initialisations_stay_and_a_prefix_is_a_key(folder):
    other = {"type": "Constant", "val": 1, "layer": "BatchNorm2d"}
    made = task(bench(backbone={**RESNET, "init_cfg": [other, {"type": "Pretrained", "checkpoint": "a.pth", "prefix": "backbone."}]})).model
    assert made.backbone["init_cfg"] == [other] and made.weights.file == "a.pth" and made.weights.key == "backbone"
    assert task(bench(backbone={**RESNET, "init_cfg": other})).model.weights is None


PRETRAINED = {"type": "Pretrained", "checkpoint": "a.pth"}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"weights": {"file": "none.pth"}}, r"benchmark 'b': model\.weights\.file: no file at none\.pth"),
        ({"weights": {"file": "."}}, "is a folder. Name the file in it"),
        ({"weights": {"file": "~nobody-of-this-name/a.pth"}}, "no such user"),
        ({"weights": {"file": "a.pth", "sha256": "00000000"}}, "expected 00000000"),
        ({"weights": {}}, "give exactly one of file, torchvision, package, huggingface, url, trial, after; found none"),
        ({"weights": {"url": "https://example.org/a.pth", "sha256": "0123456789"}}, "whole sha256"),
        ({"weights": {"url": "file:///etc/passwd", "sha256": "0" * 64}}, "url"),
        (
            {"weights": {"huggingface": "timm/none.here", "sha256": "0" * 8}},
            r"`hf download timm/none\.here model\.safetensors config\.json`, or",
        ),
        ({"weights": {"file": "a.pth", "torchvision": "b"}}, "found file, torchvision"),
        ({"weights": {"file": "a.pth", "kee": "x"}}, "unknown key"),
        ({"backbone": {**RESNET, "init_cfg": {**PRETRAINED, "checkpoint": "none.pth"}}}, r"no file at none\.pth"),
        ({"backbone": {**RESNET, "init_cfg": {**PRETRAINED, "checkpoint": "torchvision://resnet18"}}}, "url: ADDRESS"),
        ({"backbone": {**RESNET, "pretrained": True}}, "is no file"),
        ({"backbone": {**RESNET, "init_cfg": PRETRAINED}, "weights": {"file": "b.pth"}}, "give one of them"),
        ({"backbone": {**RESNET, "stem": {"init_cfg": PRETRAINED}}}, "a part of the backbone's config names a checkpoint of its own"),
        ({"backbone": {**RESNET, "init_cfg": [PRETRAINED, PRETRAINED]}}, "several checkpoints"),
        ({"frozen": True}, "so it needs weights"),
        ({"mean": [0.485, 0.456, 0.406]}, "multiplied by 255"),
        ({"std": [0.229, 0.224, 0.225]}, "multiplied by 255"),
        ({"std": [0, 1, 1]}, "multiplied by 255"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_trial(folder, model, reason):
    with pytest.raises(UsageError, match=reason):
        trial(**model)


@pytest.fixture
def address(folder, monkeypatch):
    """Of a folder that is served, and what was asked of it."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            asked.append(self.path)

    (folder / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder / "served")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def test_weights_of_an_address_are_fetched_when_a_trial_is_to_run(folder, address):
    """Planned without a look at the address, as the trial that has the same file; fetched once, loaded, and used without the network."""
    base, asked = address
    register.setup()
    network = MODELS.build({name: value for name, value in RESNET.items() if not name.startswith("_")})
    torch.save(network.state_dict(), folder / "served" / "w.pth")
    told = {"url": f"{base}/w.pth?version=1", "sha256": hashlib.sha256((folder / "served/w.pth").read_bytes()).hexdigest()}
    planned = trial(backbone=RESNET, weights=told)
    assert asked == [] and planned.digest == trial(backbone=RESNET, weights={"file": "served/w.pth"}).digest
    with pytest.raises(UsageError, match=r"w\.pth\?version=1 has not been fetched yet"):
        find(Weights(**told))
    found = task(bench(backbone=RESNET, weights=told))
    for _ in range(2):
        ready(found, None)
    assert asked == ["/w.pth?version=1"]
    (place,) = planned.files.values()
    assert Path(place).name == "w.pth" and Path(place).read_bytes() == (folder / "served/w.pth").read_bytes()
    assert find(Weights(**told)) == Path(place) and check_model(found, 16) == []


def test_what_an_address_does_not_hold_is_refused_and_not_kept(folder, address):
    base, asked = address
    (folder / "served" / "w.pth").write_bytes(b"another file")
    other = Weights(url=f"{base}/w.pth", sha256="0" * 64)
    with pytest.raises(UsageError, match="expected 0000000000000000"):
        fetch(other)
    with pytest.raises(UsageError, match=r"cannot be fetched.*404"):
        fetch(Weights(url=f"{base}/none.pth", sha256="0" * 64))
    with pytest.raises(UsageError, match=r"cannot be fetched.*refused"):
        fetch(Weights(url="http://127.0.0.1:9/w.pth", sha256="0" * 64))
    assert len(asked) >= 2 and not [file for file in (folder / "cache").rglob("*") if file.is_file()]


def test_weights_in_the_cache_of_hugging_face(folder, monkeypatch):
    """The newest snapshot that holds the file; its sha256 is asked for, as of all that others may change."""
    monkeypatch.setenv("HF_HOME", str(folder))
    for age, snapshot in enumerate(("old", "new")):
        file = folder / "hub/models--timm--net.tag/snapshots" / snapshot / "model.safetensors"
        file.parent.mkdir(parents=True)
        file.write_bytes(snapshot.encode())
        os.utime(file, (age, age))
    digest = hashlib.sha256(b"new").hexdigest()
    assert find(Weights(huggingface="timm/net.tag", sha256=digest[:8])).read_bytes() == b"new"
    with pytest.raises(UsageError, match="give the file's sha256"):
        find(Weights(huggingface="timm/net.tag"))
    with pytest.raises(UsageError, match=r"has no other\.bin"):
        find(Weights(huggingface="timm/net.tag:other.bin", sha256=digest))


def test_a_dry_run_refuses_a_missing_file(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    command = ["run", "-m", "gap", "-b", "scenes-classification", "--set", "model.weights.file=none.pth", "--dry-run"]
    result = CliRunner().invoke(main, command, prog_name="harness")
    assert result.exit_code == 2 and "model.weights.file: no file at none.pth" in result.stderr


def test_where_the_registrys_weights_lie_is_said(openmmlab, folder, monkeypatch):
    """As torchvision and the toolboxes say it; resnet20's authors are not installed."""
    import mmengine
    import mmpose
    import mmpretrain
    from mmengine.config import Config
    from torchvision.models import get_model_weights, list_models

    theirs = {weights.url for name in list_models() for weights in get_model_weights(name)}
    theirs |= {*json.loads((Path(mmengine.__path__[0]) / "hub/openmmlab.json").read_text()).values()}
    theirs |= {*re.findall(r"https\S+\.pth", (Path(mmpretrain.__path__[0]) / ".mim/configs/efficientnet/metafile.yml").read_text())}
    coco = Path(mmpose.__path__[0]) / ".mim/configs/body_2d_keypoint/topdown_heatmap/coco"
    for network in ("w32_8xb64", "w48_8xb32"):
        theirs.add(Config.fromfile(coco / f"td-hm_hrnet-{network}-210e_coco-256x192.py").model.backbone.init_cfg.checkpoint)
    named = {(entry.model.get("weights") or {}).get("torchvision") for entry in load_catalog().benchmarks.values()} - {None}
    assert {*ADDRESSES} <= named
    monkeypatch.setenv("TORCH_HOME", str(folder / "nothing"))
    for name in named - {"resnet20-12fca82f.th"}:
        with pytest.raises(UsageError) as refused:
            find(Weights(torchvision=name, sha256="00000000"))
        assert str(refused.value).rpartition(" ")[2] in theirs


def preprocessor(entry: Benchmark):
    return task(entry).config({})["model"]["model"]["data_preprocessor"]


@pytest.mark.parametrize("name", ["scenes-classification", "scenes-localization", "scenes-segmentation", "figures-keypoint", "rooms"])
def test_every_family_subtracts_the_mean_that_is_given(name):
    entry = load_catalog().benchmarks[name]
    assert preprocessor(entry)["mean"] == [123.675, 116.28, 103.53] and preprocessor(entry)["std"] == [58.395, 57.12, 57.375]
    given = entry.model_copy(update={"model": {**entry.model, "mean": [127.5] * 3, "std": [255, 255, 255]}})
    assert preprocessor(given)["mean"] == [127.5] * 3 and preprocessor(given)["std"] == [255.0] * 3


AUGMENTED = {
    "scenes-classification": {"data": {"augment": "crop"}},
    "scenes-localization": {"data": {"augment": "crop-flip"}},
    "scenes-segmentation": {"model": {"input": {"flip": 0.5}}},
    "figures-keypoint": {"data": {"augment": "affine"}},
    "rooms": {"data": {"augment": True}},
    "rooms, later": {"schedule": {"finetune": {"epochs": 1}}},
}


@pytest.mark.parametrize("name", AUGMENTED)
def test_in_no_family_a_frozen_backbone_sees_augmented_images(name):
    entry = load_catalog().benchmarks[name.partition(",")[0]]
    parts = {part: getattr(entry, part) | AUGMENTED[name].get(part, {}) for part in ("data", "model", "schedule")}
    still, moving = {"weights": {"file": "x"}, "frozen": True}, {"frozen": False}
    for changed, model in ((entry, still), (entry.model_copy(update=parts), moving)):
        assert task(changed.model_copy(update={"model": {**changed.model, **model}})).config({})
    with pytest.raises(UsageError, match=r"model\.frozen: .* makes another image of it in every epoch"):
        task(entry.model_copy(update=parts | {"model": {**parts["model"], **still}})).config({})


def test_the_model_is_checked_before_a_trial(openmmlab, folder):
    from mmengine.registry import MODELS

    assert check_model(task(bench()), 8) == []
    (missing,) = check_model(task(bench(backbone=RESNET, weights={"file": "none.pth"})), 8)
    assert missing.fatal and missing.sentences.startswith("model.weights.file: ") and "no file at none.pth" in missing.what
    config = {key: value for key, value in RESNET.items() if not key.startswith("_")}
    state = MODELS.build(config).state_dict()
    torch.save(state, "a.pth")
    assert check_model(task(bench(backbone=RESNET, weights={"file": "a.pth"})), 8) == []
    torch.save({"student": state, "teacher": state}, "a.pth")
    (several,) = check_model(task(bench(backbone=RESNET, weights={"file": "a.pth"})), 8)
    assert "holds 2 networks: student, teacher" in several.what
    assert check_model(task(bench(backbone=RESNET, weights={"file": "a.pth", "key": "student"})), 8) == []
    (other,) = check_model(task(bench(backbone="resnet18", weights={"file": "a.pth", "key": "student"})), 8)
    assert "of another network" in other.what
    deeper = MODELS.build({**config, "depth": 34}).state_dict()
    torch.save(deeper, "a.pth")
    (refused,) = check_model(task(bench(backbone={**RESNET, "depth": 18}, weights={"file": "a.pth"})), 8)
    assert refused.fatal and "of a deeper network" in refused.what
    shorter = {**RESNET, "depth": 18, "num_stages": 1, "out_indices": [0], "strides": [1], "dilations": [1]}
    (told,) = check_model(task(bench(backbone=shorter, weights={"file": "a.pth"})), 8)
    assert not told.fatal and "the first 2 of 3 blocks in layer1" in told.what


def test_a_run_says_what_a_check_of_the_weights_finds(folder):
    """The report is remembered for the file's content, mean and std, not for its name."""
    register.setup()
    state = MODELS.build({key: value for key, value in RESNET.items() if not key.startswith("_")}).state_dict()
    found = task(bench(backbone=RESNET, weights={"file": "b.pth"}))
    for extra, lost in (({}, []), ({"layer1.0.se.fc1.weight": torch.ones(2, 8, 1, 1)}, ["of the tensors of b.pth in blocks"])):
        torch.save({**state, **extra}, "b.pth")
        told = [line.removeprefix("warning: model.weights: ")[:33] for line in ready(found, None).report if "model." in line]
        assert told == lost == [one.what[:33] for one in check_model(found, 16)]
    (folder / "config.json").write_text(json.dumps({"mean": [0.5] * 3, "std": [0.5] * 3}))
    grey = task(bench(backbone=RESNET, weights={"file": "b.pth"}, mean=[100] * 3, std=[100] * 3))
    assert any("model.mean: the config.json" in line for line in ready(grey, None).report)


IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


@pytest.mark.parametrize(
    ("config", "model", "told"),
    [
        ({"pretrained_cfg": HALF}, {}, True),
        (HALF, {}, True),
        ({"pretrained_cfg": IMAGENET}, {}, False),
        ({"pretrained_cfg": HALF}, {"mean": [127.5] * 3, "std": [127.5] * 3}, False),
        ({"pretrained_cfg": {"mean": [0.5], "std": [0.5]}}, {}, False),
        ({"architectures": ["ViTModel"], "pretrained_cfg": None}, {}, False),
        ([HALF], {}, False),
    ],
)
def test_a_mean_and_std_beside_the_weights_that_are_others_are_told(openmmlab, folder, config, model, told):
    from mmengine.registry import MODELS

    torch.save(MODELS.build({key: value for key, value in RESNET.items() if not key.startswith("_")}).state_dict(), "a.pth")
    (folder / "config.json").write_text(json.dumps(config))
    found = check_model(task(bench(backbone=RESNET, weights={"file": "a.pth"}, **model)), 8)
    assert [one.where for one in found] == ["model.mean"] * told
    said = "write model.mean: [127.5, 127.5, 127.5] and model.std: [127.5, 127.5, 127.5]"
    assert all(one.mend == said and not one.fatal for one in found)


def test_a_network_of_timm_without_the_file_that_says_its_mean_is_told(folder, monkeypatch):
    """`hf download NAME model.safetensors` fetches the weights alone, and then ImageNet's mean was taken without a word."""
    monkeypatch.setenv("HF_HOME", str(folder))
    place = folder / "hub/models--timm--net.tag/snapshots/one"
    place.mkdir(parents=True)
    register.setup()
    network = MODELS.build({key: value for key, value in RESNET.items() if not key.startswith("_")})
    save_file(network.state_dict(), place / "model.safetensors")
    said = {"huggingface": "timm/net.tag", "sha256": hashlib.sha256((place / "model.safetensors").read_bytes()).hexdigest()}
    found = task(bench(backbone=RESNET, weights=said))
    (told,) = check_model(found, 16)
    assert not told.fatal and told.where == "model.mean" and "`hf download timm/net.tag config.json`" in told.mend
    assert any("no config.json beside" in line for line in ready(found, None).report)
    assert check_model(task(bench(backbone=RESNET, weights=said, mean=[127.5] * 3, std=[127.5] * 3)), 16) == []
    (place / "config.json").write_text(json.dumps({"pretrained_cfg": IMAGENET}))
    assert check_model(found, 16) == [] and not any("model.mean" in line for line in ready(found, None).report)


def _cycle() -> dict[str, object]:
    content: dict[str, object] = {"state_dict": {"a": torch.ones(2)}}
    content["itself"] = content
    return content


@pytest.mark.parametrize(
    "content",
    [b"NaN", b"", b"\x80\x02", [torch.ones(2).to_sparse()], {"a": torch.empty(2, device="meta")}, _cycle(), {"a": "x"}],
    ids=["text", "empty", "cut", "sparse", "without data", "cycle", "no tensor"],
)
def test_files_that_hold_no_weights_are_refused(tmp_path, content):
    from harness.benchmarks.parts.checkpoint import read

    file = tmp_path / "w.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(UsageError, match="is refused"):
        read(file)


SAID = {
    "trial": "0",
    "method": "gap",
    "benchmark": "b",
    "version": 1,
    "family": "classification",
    "seed": 0,
    "overrides": [],
    "metrics": {},
}


@pytest.mark.parametrize(
    "about",
    [
        *("", "{", "[1]", "3", '"x"', "[" * 5000),
        *(json.dumps(SAID | change) for change in ({"seed": {}}, {"seed": 10**9}, {"overrides": 3})),
    ],
)
def test_weights_that_do_not_say_whose_they_are_are_refused(tmp_path, about):
    from safetensors.torch import save_file

    from harness.engine import kept

    save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors", metadata={"attention-harness": json.dumps(SAID)})
    assert kept.about(tmp_path / "w.safetensors")["method"] == "gap"
    save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors", metadata={"attention-harness": about})
    with pytest.raises(UsageError, match="does not say whose weights"):
        kept.about(tmp_path / "w.safetensors")
