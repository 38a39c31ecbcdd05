"""The mmengine config of a classification trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import backbones, config
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.scores import topk
from harness.benchmarks.options import ModelOptions, ScheduleOptions
from harness.catalog import Filling


def compose(data: ClassificationData, model: ModelOptions, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial."""
    return {
        "default_scope": "mmpretrain",
        "model": config.attend(_model(data, model, fillings), model, fillings, (data.size, data.size)),
        **config.loaders(lambda split: _dataset(data, split), schedule.batch_size, collate="default_collate"),
        **config.evaluators({"type": "TopAccuracy", "topk": topk(data)}),
        **config.training(schedule),
    }


def _model(data: ClassificationData, model: ModelOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    host = backbones.features(model)
    return {
        "type": "mmpretrain.ImageClassifier",
        "data_preprocessor": {
            "type": "mmpretrain.ClsDataPreprocessor",
            **config.preprocessing(model),
            "to_rgb": True,
            "num_classes": data.class_count,
        },
        "backbone": host.config,
        "neck": config.pooling_neck(fillings, host.channels[-1]),
        "head": {
            "type": "mmpretrain.LinearClsHead",
            "in_channels": host.channels[-1],
            "num_classes": data.class_count,
            "loss": {"type": "mmpretrain.CrossEntropyLoss"},
        },
    }


def _dataset(data: ClassificationData, split: Split) -> dict[str, Any]:
    fixed: list[dict[str, Any]] = [
        {"type": "ReadImage"},
        {"type": "mmpretrain.ResizeEdge", "scale": data.resize or data.size, "edge": "short", "interpolation": data.interpolation},
    ]
    varied: list[dict[str, Any]] = []
    if split == "train" and data.augment != "none":
        varied.append({"type": "mmpretrain.RandomCrop", "crop_size": data.size, "padding": data.size // 8, "padding_mode": "reflect"})
        if data.augment == "crop-flip":
            varied.append({"type": "mmpretrain.RandomFlip", "prob": 0.5, "direction": "horizontal"})
    else:
        fixed.append({"type": "mmpretrain.CenterCrop", "crop_size": data.size})
    pipeline = [{"type": "Remember", "transforms": fixed}, *varied, {"type": "mmpretrain.PackInputs"}]
    return {
        "type": "ClassDataset",
        "data_root": DATA,
        "options": data.model_dump(mode="json", exclude={"root"}),
        "split": split,
        "pipeline": pipeline,
        "test_mode": split != "train",
    }
