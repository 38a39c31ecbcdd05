"""A configuration's types are names that a toolbox registers, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from harness.benchmarks import task
from harness.catalog import Benchmark
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("model", "mmpretrain.ResNett", "unknown model type 'mmpretrain.ResNett'. Did you mean 'mmpretrain.ResNet'"),
        ("model", "ResNett", "Did you mean 'ResNet'"),
        ("model", "mmsegg.ResNet", "Did you mean 'mmseg.ResNet'"),
        ("model", "subprocess.Popen", "unknown model type 'subprocess.Popen'. A type is a name that"),
        ("model", "mmpretrain.models.ResNet", "Did you mean 'mmpretrain.ResNet'"),
        ("dataset", "mmseg.CityscapeDataset", "unknown dataset type .* Did you mean 'mmseg.CityscapesDataset'"),
        ("model", "qqqq", r"unknown model type .qqqq.\. A type is"),
    ],
)
def test_a_type_that_nobody_registers_is_explained(openmmlab, kind, name, says):
    from mmengine.registry import DATASETS, MODELS

    from harness.openmmlab import explained

    with pytest.raises(UsageError, match=says), explained():
        {"model": MODELS, "dataset": DATASETS}[kind].build({"type": name})


def test_a_type_is_no_import_path(openmmlab, tmp_path):
    """mmengine would call whatever a dotted name imports: here, a program that writes a file."""
    from mmengine.registry import MODELS

    with pytest.raises(KeyError):
        MODELS.build({"type": "subprocess.Popen", "args": ["touch", str(tmp_path / "written")]})
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_nobody_registers(openmmlab):
    from mmcv.cnn import build_norm_layer

    from harness.openmmlab import explained

    with pytest.raises(UsageError, match=r"a layer \(norm_cfg"), explained():
        build_norm_layer({"type": "BNN"}, 8)


def test_a_registry_without_a_root_in_mmengine(openmmlab):
    from mmpose.registry import KEYPOINT_CODECS

    from harness.openmmlab import explained

    for name in ("nowhere", ""):
        with pytest.raises(UsageError, match=f"unknown .* type '{name}'"), explained():
            KEYPOINT_CODECS.build({"type": name})


def test_other_key_errors_stay_as_they_are(openmmlab):
    from harness.openmmlab import explained

    with pytest.raises(KeyError, match="mine"), explained():
        raise KeyError("mine")


def test_a_dataset_class_that_does_not_exist():
    entry = Benchmark(
        id="b", family="segmentation", data={"format": "mmseg", "root": "r", "type": "NoDataset", "num_classes": 2, "train": {}, "test": {}}
    )
    with pytest.raises(UsageError, match="unknown mmseg dataset class 'NoDataset'"):
        task(entry)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"type": "CocoDataset", "arguments": {"metainfo": {"from_file": "mine.py"}}}, "arguments.metainfo: unknown key"),
        ({"type": "H36MWholeBodyDataset"}, "unknown mmpose dataset class 'H36MWholeBodyDataset'"),
    ],
)
def test_keypoint_data_that_would_be_executed(data, says):
    splits = {split: {"ann_file": f"{split}.json"} for split in ("train", "test")}
    entry = Benchmark(id="b", family="keypoint", data={"format": "mmpose", "root": "r", "keypoints": 17, **splits, **data})
    with pytest.raises(UsageError, match=says):
        task(entry)


@pytest.mark.slow  # a process that imports the stack
def test_a_transformers_of_another_project_breaks_nothing(tmp_path):
    """mmpretrain imports what it finds by this name, and the classes of today's are not those it expects."""
    (tmp_path / "transformers-5.17.0.dist-info").mkdir()
    (tmp_path / "transformers-5.17.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 5.17.0\n")
    (tmp_path / "transformers.py").write_text("raise ImportError('of another project')\n")
    script = "from harness.benchmarks import register; register.setup()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_a_detector_that_finds_nothing_has_a_precision_of_zero(openmmlab, tmp_path):
    """As one whose only box is in a wrong place; where nothing of a size is there to be found, both say -1."""
    import torch
    from mmdet.evaluation import CocoMetric
    from mmengine.evaluator import Evaluator

    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0}
    truth = {"images": [{"id": 1, "height": 90, "width": 90}], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))

    def scores(*boxes: list[float]) -> dict[str, float]:
        evaluator = Evaluator(CocoMetric(ann_file=str(tmp_path / "truth.json")))
        evaluator.dataset_meta = {"classes": ("cat",)}
        found = torch.tensor(boxes).reshape(-1, 4)
        predicted = {"bboxes": found, "scores": torch.full((len(found),), 0.9), "labels": torch.zeros(len(found), dtype=torch.long)}
        evaluator.process([{"img_id": 1, "ori_shape": (90, 90), "pred_instances": predicted}])
        return evaluator.evaluate(1)

    nothing = scores()
    assert nothing == scores([60.0, 60.0, 80.0, 80.0]) and nothing["coco/bbox_mAP"] == 0 and nothing["coco/bbox_mAP_l"] == -1
    assert scores([10.0, 10.0, 30.0, 30.0])["coco/bbox_mAP"] == 1
