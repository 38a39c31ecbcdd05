"""Anyone's OpenMMLab config as a benchmark, and plugins in anyone's config."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness import fingerprints
from harness.analysis import source
from harness.benchmarks import task
from harness.benchmarks.openmmlab import code
from harness.benchmarks.openmmlab.entry import of_file, parts
from harness.benchmarks.openmmlab.scores import names
from harness.catalog import Benchmark, Catalog
from harness.errors import UsageError

BASE = """
os = __import__("os")
open(os.environ["MARK"], "a").write(f"{os.getpid()}\\n")
default_scope = "mmpretrain"
norm = dict(mean=[127.0] * 3, std=[60.0] * 3)
model = dict(
    type="ImageClassifier",
    data_preprocessor=dict(num_classes=2, to_rgb=True, **norm),
    backbone=dict(type="ResNet", depth=18, stem_channels=8, base_channels=8),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=2, in_channels=64, loss=dict(type="CrossEntropyLoss")),
)
steps = [dict(type="LoadImageFromFile"), dict(type="RandomFlip", prob=0.5), dict(type="PackInputs")]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="CustomDataset", data_root="data/mine", data_prefix="train", pipeline=steps),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=2,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="CustomDataset", data_root="data/mine", data_prefix="test", pipeline=[steps[0], steps[2]]),
)
val_dataloader = test_dataloader
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator
val_cfg, test_cfg = dict(), dict()
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.05, momentum=0.9))
param_scheduler = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=4), dict(type="MultiStepLR", milestones=[2], by_epoch=True)]
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)
auto_scale_lr = dict(base_batch_size=4, enable=True)
"""

MINE = """
_base_ = ["base.py"]
custom_imports = dict(imports=["my_package.parts"])
custom_hooks = [dict(type="CountIterations")]
model = dict(head=dict(type="MyHead"))
"""

PARTS = """
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmpretrain.models import LinearClsHead
from mmpretrain.registry import MODELS


@MODELS.register_module()
class MyHead(LinearClsHead):
    pass


@HOOKS.register_module()
class CountIterations(Hook):
    pass
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A user's folder: a config with its base, a package and two classes of images."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 6)):
        for index in range(count):
            for name, level in (("dark", 60), ("light", 180)):
                file = tmp_path / "data/mine" / split / name / f"{index}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(level - 50, level + 50, (32, 32, 3), dtype=np.uint8)).save(file)
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package/__init__.py").touch()
    (tmp_path / "my_package/parts.py").write_text(PARTS)
    (tmp_path / "registry.yaml").write_text("benchmarks: {mine: {family: openmmlab, data: {format: config, code: mine.py}}}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("MARK", str(tmp_path / "ran.txt"))
    return tmp_path


class Exit(Exception):
    """Enough has been seen."""


def harness(*args: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "harness", *args], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def test_a_config_runs_where_it_is_named_and_nowhere_else(project):
    from harness.listing import list_benchmarks

    rows = {row["id"]: row for row in list_benchmarks("openmmlab")}
    assert rows["mine"]["error"] is None and rows["mine"]["metrics"] == []
    assert not (project / "ran.txt").exists()
    made = of_file("mine.py")
    ran = {int(line) for line in (project / "ran.txt").read_text().split()}
    assert os.getpid() not in ran and made.id == "mine", "it ran, in another process"
    assert "my_package.parts" not in sys.modules


def test_the_data_of_a_config_are_checked_by_its_file_or_its_entry(project):
    assert "base: " in harness("data", "check", "base.py")
    (project / "data/mine/train/neither").mkdir()
    assert "its folders of classes are not those of" in harness("data", "check", "mine", code=2)


def test_what_is_kept_of_a_config(project):
    made = of_file("base.py")
    found = task(made)
    assert [metric.name for metric in found.metrics] == ["top1"] and found.primary == "top1"
    assert set(found.slots) == {"block", "pooling"}
    config = found.config({})
    assert config["train_dataloader"]["dataset"]["data_root"] == "$DATA" and made.data["root"] == str(project / "data/mine")
    assert config["train_dataloader"]["num_workers"] == 0 and "persistent_workers" not in config["train_dataloader"]
    assert "val_dataloader" not in config, "it validates on its test data"
    assert isinstance(config["test_evaluator"]["metrics"][0]["topk"], tuple), "tuples are no lists for OpenMMLab"
    assert sorted(file.parent.name for file in found.listing(project / "data/mine").sources) == ["dark"] * 14 + ["light"] * 14


def said(change: str = "") -> dict[str, Any]:
    """What the config says, with a change."""
    found: dict[str, Any] = {}
    exec(BASE + change, found)
    return {name: value for name, value in found.items() if name not in ("os", "__builtins__")}


def entry(change: str = "") -> Benchmark:
    return Benchmark(id="b", family="openmmlab", **parts(said(change)))


@pytest.mark.parametrize(
    "change",
    [
        "test_dataloader['dataset']['ann_file'] = '{0}/ann.txt'",
        "test_dataloader['dataset']['metainfo'] = dict(classes='{0}/ann.txt')",
        "test_dataloader['dataset']['bbox_file'] = '{1}/ann.txt'",
        "test_evaluator['ann_file'] = '{0}/ann.txt'",
        "test_dataloader['dataset']['data_prefix'] = '{0}'",
    ],
)
def test_files_outside_of_the_datas_folder_count(project, change):
    (project / "elsewhere").mkdir()
    file = project / "elsewhere/ann.txt"
    file.write_text("dark/0.png 0")
    found = task(entry(change.format(project / "elsewhere", "elsewhere")))
    root = project / "data/mine"
    assert found.data.root == str(root) and file in found.listing(root).sources
    before = fingerprints.of_folder(found, root)
    file.write_text("dark/0.png 1")
    assert fingerprints.of_folder(found, root) != before


def test_where_an_evaluator_writes_is_no_data(project):
    (project / "out.json").write_text("[]")
    found = task(entry(f"test_evaluator['outfile_prefix'] = '{project}/out.json'"))
    assert found.listing(project / "data/mine").sources == task(entry()).listing(project / "data/mine").sources


@pytest.mark.parametrize(
    ("change", "validates"),
    [
        ("['pipeline'] = []", False),
        ("['data_prefix'] = 'train'", True),
        ("['ann_file'] = 'val.txt'", True),
        ("['data_root'] = 'data/mine/'", False),
    ],
)
def test_other_pipelines_make_no_other_validation(project, change, validates):
    copied = "\nval_dataloader = dict(test_dataloader, dataset=dict(test_dataloader['dataset']))\n"
    assert ("val_dataloader" in parts(said(f"{copied}val_dataloader['dataset']{change}"))["data"]["config"]) == validates


def test_a_module_to_import_may_be_text(project):
    assert [*parts(said("custom_imports = dict(imports='my_package.parts')"))["data"]["config"]["code"]] == ["my_package.parts"]


def test_two_evaluators_of_one_kind_keep_their_prefixes(project):
    two = "test_evaluator = [dict(type='PCKAccuracy', prefix='a'), dict(type='PCKAccuracy', prefix='b c'), dict(type='AUC', prefix='d')]"
    assert [metric.name for metric in task(entry(two)).metrics] == ["a.PCK", "bc.PCK", "AUC"]
    with pytest.raises(UsageError, match=r"two evaluators return 'PCK'.*Give each a prefix"):
        task(entry("test_evaluator = [dict(type='PCKAccuracy'), dict(type='PCKAccuracy', thr=0.1)]"))
    of_pixels = "test_evaluator = [dict(type='IoUMetric', prefix='a'), dict(type='IoUMetric', prefix='b', iou_metrics=['mDice'])]"
    found = task(entry(of_pixels)).metrics
    assert [metric.name for metric in found] == ["mIoU", "a.mAcc", "a.aAcc", "a.IoU", "mDice", "b.mAcc", "b.aAcc", "b.IoU"]
    assert len(names(found)) == 6


def test_an_evaluator_of_several_kinds_of_scores_returns_each_once(project):
    found = task(entry("test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice', 'mFscore'])")).metrics
    assert [metric.name for metric in found] == ["mIoU", "mAcc", "mDice", "mFscore", "mPrecision", "mRecall", "aAcc", "IoU"]


def test_what_two_evaluators_return_is_told_apart(openmmlab):
    from mmengine.registry import EVALUATOR

    listed = [{"type": "mmpose.PCKAccuracy", "thr": thr, "prefix": name} for name, thr in (("far", 0.2), ("near", 0.01))]
    judge = EVALUATOR.build({"type": "OwnScores", "metrics": listed, "names": ["far.PCK", "near.PCK"]})
    judge.dataset_meta = {"keypoint_id2name": {0: "nose"}}
    truth = {"keypoints": np.zeros((1, 1, 2)), "keypoints_visible": np.ones((1, 1)), "bboxes": np.array([[0, 0, 100.0, 100.0]])}
    judge.process([{"gt_instances": truth, "pred_instances": {"keypoints": np.full((1, 1, 2), 5.0)}}])
    found = judge.evaluate(1)
    assert (found["far.PCK"], found["near.PCK"]) == (1, 0) and {name.partition("/")[0] for name in found} == {"far.PCK", "near.PCK"}


@pytest.mark.parametrize(
    ("wrapped", "floor"),
    [
        ("dict(type='RepeatDataset', times=2, dataset=inner)", 50.0),
        ("dict(type='ClassBalancedDataset', oversample_thr=0.5, dataset=inner)", 50.0),
        ("dict(type='ConcatDataset', datasets=[inner, inner])", 50.0),
        ("dict(type='KFoldDataset', num_splits=2, fold=0, dataset=inner)", 50.0),
    ],
)
def test_the_floor_of_wrapped_datasets(openmmlab, project, wrapped, floor):
    found = task(entry(f"inner = train_dataloader['dataset']\ntrain_dataloader['dataset'] = {wrapped}"))
    assert found.floor(project / "data/mine")["top1"] == floor


def test_code_of_its_own_package_is_part_of_a_trial(project):
    before = task(of_file("mine.py")).config({})
    (project / "my_package/parts.py").write_text(PARTS.replace("    pass", "    number = 1", 1))
    after = task(of_file("mine.py")).config({})
    assert before.pop("code") != after.pop("code") and before == after


def test_its_own_package_is_found_in_the_current_folder(project, monkeypatch):
    """The script of an environment has the folder of scripts first on its path, and not the current one."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(project))])
    assert [*task(of_file("mine.py")).config({})["code"]] == ["my_package.parts"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("model = None", "has no `model`"),
        ("load_from = 'x.pth'", "goes on from a checkpoint"),
        ("test_evaluator = 'SGD'", "test_evaluator is no evaluator"),
        ("test_evaluator = [dict(type='Accuracy'), 3]", "test_evaluator is no evaluator"),
        ("train_cfg = dict(type='MyLoop')", "a loop of type MyLoop is not known"),
        ("param_scheduler = dict(type='ReduceOnPlateauLR', monitor='loss')", "decides by the validation"),
        ("default_scope = 'mmagic'", "default_scope is 'mmagic'"),
        ("custom_imports = dict(imports=['no_such_package'])", "no module 'no_such_package'"),
        ("model['neck'] = dict(type='X', init_cfg=dict(type='Pretrained', checkpoint='a.pth'))", "a checkpoint of its own, a.pth"),
        ("test_dataloader['dataset']['data_root'] = '/elsewhere'", "Link them into one"),
    ],
)
def test_what_cannot_be_kept_to_is_refused(project, change, says):
    with pytest.raises(UsageError, match=says):
        parts(said(change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("optim_wrapper['optimizer']['lr'] = float('inf')", "optim_wrapper.optimizer.lr is inf"),
        ("os._exit(7)", "ended with status 7"),
    ],
)
def test_a_config_that_fails_is_named(project, change, says):
    (project / "bad.py").write_text(BASE + change)
    with pytest.raises(UsageError, match=f"bad.py: .*{says}"):
        of_file("bad.py")


def test_what_a_trial_needs_besides(project):
    (project / "start.py").write_text(BASE + "model['backbone']['init_cfg'] = dict(type='Pretrained', checkpoint='torchvision://resnet18')")
    start = of_file("start.py")
    with pytest.raises(UsageError, match=r"starts from torchvision://resnet18.*model\.pretrained=null"):
        task(start).config({})
    (project / "own.py").write_text(BASE + "test_evaluator = dict(type='Mine')")
    with pytest.raises(UsageError, match=r"the evaluator 'Mine' is not known.*data\.returns"):
        task(of_file("own.py"))
    named = Benchmark(id="b", family="openmmlab", data={"format": "config", "code": "own.py", "returns": {"speed": "higher"}})
    catalog, chosen = code.named(Catalog(benchmarks={"b": named}), ["b"], [])
    assert chosen == ("b",) and task(catalog.benchmarks["b"]).primary == "speed"


def test_a_trial_says_the_config_file_that_it_was_planned_from(project):
    """The command of its status plans it again; nothing else runs the file."""
    harness("run", "--config", "base.py", "-m", "gc-block", "--plan-only")
    ran = (project / "ran.txt").read_text()
    (row,) = json.loads(harness("status", "--json"))["rows"]
    assert row["config_file"] == "base.py" and row["benchmark"] == "base"
    (line,) = json.loads(harness("status", row["digest"], "--json"))["trial"]["command"]
    why = source.differs_here("sqlite:///results/harness.db", row["digest"])
    assert "config file base.py, which is code" in why and (project / "ran.txt").read_text() == ran
    program, *words = shlex.split(line)
    assert program == "harness" and "base.py" in words and "-b" not in words
    assert row["digest"] in harness(*words, "--dry-run")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_workers_run_a_config_where_it_is_named(project):
    """And nowhere else; what they learned is kept where that is asked for."""
    harness("run", "--config", "base.py", "-m", "gap", "--plan-only")
    told = subprocess.run([sys.executable, "-m", "harness", "worker", "--device", "cpu"], capture_output=True, text=True, check=False)
    assert told.returncode == 3 and "config file base.py, which is code and runs only where it is named" in told.stderr
    harness("worker", "--config", "base.py", "--keep-weights", "--device", "cpu")
    (row,) = json.loads(harness("status", "--json"))["rows"]
    kept = project / "results/trials" / row["digest"] / "artifacts"
    assert row["state"] == "done" and (kept / "weights.safetensors").is_file() and (kept / "predictions/probabilities.csv").is_file()


def test_a_cluster_is_told_which_configs_its_workers_run(project, monkeypatch):
    from click.testing import CliRunner

    from harness.cli import main, worker
    from harness.engine import submit

    told: list[str] = []
    monkeypatch.setattr(submit, "submit", lambda plan, url, opened, arguments, **_: told.extend(arguments) or (_ for _ in ()).throw(Exit))
    monkeypatch.setattr("harness.engine.launchers.cluster", lambda name: None)
    CliRunner().invoke(main, ["submit", "--slurm", "local", "--config", "base.py", "-m", "gap", "--keep-weights"], prog_name="harness")
    given = worker.command.make_context("worker", told[1:], **main.context_settings).params
    assert given["configs"] == (str(project / "base.py"),) and given["keep"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_config_as_a_benchmark(project):
    """Own package, two schedulers, `_base_`: all methods on it, the floor, the same numbers by its own entry and by a file."""
    run = ("run", "-m", "gc-block", "-m", "simpool", "--device", "cpu", "--workers", "1")
    harness(*run, "--config", "mine.py")
    board = json.loads(harness("leaderboard", "--format", "json"))
    text = json.dumps(board)
    assert all(method in text for method in ("gc-block", "simpool", "floor"))
    rows = json.loads(harness("status", "--json"))["rows"]
    assert [row["state"] for row in rows] == ["done"] * 2, [row["reason"] for row in rows]
    digest = next(row["digest"] for row in rows if row["method"] == "simpool")
    ours = json.loads(harness("status", digest, "--json"))["trial"]
    assert ours["cost"]["params"] and any(name.startswith("entropy") for name in ours["diagnostics"])
    harness(*run, "-b", "mine")
    assert len(json.loads(harness("status", "--json"))["rows"]) == 2, "the entry is the same benchmark, and all is done"
    harness("config", "simpool", "mine", "--out", "alone.py")
    (project / "stock.py").write_text(
        "import json, sys\nfrom mmengine.config import Config\nfrom mmengine.runner import Runner\n"
        "runner = Runner.from_cfg(Config.fromfile('alone.py'))\nrunner.train()\nprint('METRICS ' + json.dumps(runner.test()))\n"
    )
    done = subprocess.run([sys.executable, "stock.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    stock = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("METRICS"))[8:])
    assert stock == ours["metrics"]
