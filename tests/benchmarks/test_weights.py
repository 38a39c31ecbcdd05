"""Weights of a benchmark: known by content, and refused in the plan where a trial could not use them."""

from __future__ import annotations

import json
import os

import pytest
import torch

from harness.benchmarks import task
from harness.benchmarks.check_model import check_model
from harness.benchmarks.weights import find
from harness.catalog import Benchmark, load_catalog
from harness.catalog.plugins import discover
from harness.compose import compose
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
    from harness.benchmarks.options import Weights

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
        ({"weights": {"file": "."}}, "no file at"),
        ({"weights": {"file": "~nobody-of-this-name/a.pth"}}, "no such user"),
        ({"weights": {"file": "a.pth", "sha256": "00000000"}}, "expected 00000000"),
        ({"weights": {}}, "give exactly one of file, torchvision and package; found none"),
        ({"weights": {"file": "a.pth", "torchvision": "b"}}, "found file, torchvision"),
        ({"weights": {"file": "a.pth", "kee": "x"}}, "unknown key"),
        ({"backbone": {**RESNET, "init_cfg": {**PRETRAINED, "checkpoint": "none.pth"}}}, r"no file at none\.pth"),
        ({"backbone": {**RESNET, "init_cfg": {**PRETRAINED, "checkpoint": "torchvision://resnet18"}}}, "the harness downloads nothing"),
        ({"backbone": {**RESNET, "pretrained": True}}, "the harness downloads nothing"),
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


def test_a_dry_run_refuses_a_missing_file(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    command = ["run", "-m", "gap", "-b", "scenes-classification", "--set", "model.weights.file=none.pth", "--dry-run"]
    result = CliRunner().invoke(main, command, prog_name="harness")
    assert result.exit_code == 2 and "model.weights.file: no file at none.pth" in result.stderr


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
