"""What the most frequent class scores, by the config's own datasets and evaluators."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DATASETS, EVALUATOR, TRANSFORMS, DefaultScope
from mmengine.structures import BaseDataElement, PixelData
from mmengine.utils import import_modules_from_strings

from harness.benchmarks import register
from harness.benchmarks.openmmlab.known import bare
from harness.benchmarks.openmmlab.options import OpenMMLabData
from harness.benchmarks.openmmlab.readers.config import placed
from harness.benchmarks.openmmlab.scores import evaluators, metrics, names


def scores(root: Path, data: OpenMMLabData) -> dict[str, float]:
    """Those of the trivial predictor; empty where the task has no classes of images or pixels."""
    scope = data.config["default_scope"]
    kinds = {bare(one["type"]) for one in evaluators(data.config)}
    if (scope, *kinds) not in (("mmpretrain", "Accuracy"), ("mmseg", "IoUMetric")):
        return {}
    register.setup()
    if imports := data.config.get("custom_imports"):
        import_modules_from_strings(**imports)
    config = placed(data.config, root)
    with DefaultScope.overwrite_default_scope(scope):
        train, test = (DATASETS.build(config[f"{split}_dataloader"]["dataset"]) for split in ("train", "test"))
        found = EVALUATOR.build({"type": "OwnScores", "metrics": evaluators(config), "names": names(metrics(data))})
        found.dataset_meta = test.metainfo
        (_of_images if scope == "mmpretrain" else _of_pixels)(train, test, found)
        return {name: float(value) for name, value in found.evaluate(len(test)).items()}


def _of_images(train: Any, test: Any, evaluator: Any) -> None:
    counts = Counter(_labels(train))
    shares = torch.tensor([float(counts[label]) for label in range(max(len(test.metainfo.get("classes", ())), max(counts) + 1))])
    for label in _labels(test):
        sample = BaseDataElement()
        sample.gt_label, sample.pred_score, sample.pred_label = torch.tensor([label]), shares, shares.argmax()[None]
        evaluator.process(data_samples=[sample])


def _labels(dataset: Any) -> list[int]:
    """Of all images, as often as they come: datasets that repeat, balance or join others tell them one by one."""
    if hasattr(dataset, "get_gt_labels") and not hasattr(dataset, "dataset"):  # of mmpretrain's folds it says those of all folds
        return list(dataset.get_gt_labels().tolist())
    return [int(dataset.get_data_info(index)["gt_label"]) for index in range(len(dataset))]


def _innermost(dataset: Any) -> Any:
    """The dataset that others wrap, which alone has a pipeline; of several the first."""
    while (inner := getattr(dataset, "dataset", None) or next(iter(getattr(dataset, "datasets", ())), None)) is not None:
        dataset = inner
    return dataset


def _of_pixels(train: Any, test: Any, evaluator: Any) -> None:
    told = next((one for one in _innermost(train).pipeline.transforms if type(one).__name__ == "LoadAnnotations"), None)
    read = told or TRANSFORMS.build({"type": "LoadAnnotations"})
    classes = len(test.metainfo["classes"])
    areas = torch.zeros(classes, dtype=torch.long)
    for index in range(len(train)):
        labels = torch.as_tensor(read(train.get_data_info(index))["gt_seg_map"]).flatten().long()
        areas += torch.bincount(labels[labels < classes], minlength=classes)
    majority = int(areas.argmax())
    for index in range(len(test)):
        sample = test[index]["data_samples"]
        sample.pred_sem_seg = PixelData(data=torch.full_like(sample.gt_sem_seg.data, majority))
        evaluator.process(data_samples=[sample])
