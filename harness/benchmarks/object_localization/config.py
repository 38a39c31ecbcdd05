"""The mmengine config of a localization trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import backbones, config
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.object_localization.options import LocalizationData, LocalizationModel
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Filling

_VALIDATIONS = 4
"""Fewer than elsewhere: boxes at a thousand thresholds take longer than the network's pass."""


def compose(data: LocalizationData, model: LocalizationModel, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial."""
    test_batch = 1 if data.full_resolution else schedule.batch_size
    return {
        "default_scope": "mmpretrain",
        "model": config.attend(_model(data, model, fillings), model, fillings, (data.size, data.size)),
        **config.loaders(lambda split: _dataset(data, split), schedule.batch_size, test_batch=test_batch, collate="pseudo_collate"),
        **config.evaluators({"type": "BoxMetric", "taus": model.taus}),
        **config.training(schedule, _VALIDATIONS),
    }


def _model(data: LocalizationData, model: LocalizationModel, fillings: dict[str, Filling]) -> dict[str, Any]:
    host = backbones.features(model)
    head: dict[str, Any] = {"in_channels": host.channels[-1], "num_classes": data.outputs}
    if data.multi_label:
        head |= {"type": "mmpretrain.MultiLabelLinearClsHead"}
    else:
        head |= {"type": "mmpretrain.LinearClsHead", "loss": {"type": "mmpretrain.CrossEntropyLoss"}}
    return {
        "type": "LocalizingClassifier",
        "box": model.box,
        "attention_head": model.head,
        "lost_features": model.lost_features,
        "lost_patches": model.lost_patches,
        "parity": model.parity,
        "data_preprocessor": {
            "type": "mmpretrain.ClsDataPreprocessor",
            **config.preprocessing(model),
            "to_rgb": True,
            "pad_size_divisor": data.pad_to if data.full_resolution else 1,
        },
        "backbone": host.config,
        "neck": config.pooling_neck(fillings, host.channels[-1]),
        "head": head,
    }


def _dataset(data: LocalizationData, split: Split) -> dict[str, Any]:
    pipeline: list[dict[str, Any]] = [{"type": "ReadImage"}]
    if split == "train":
        enlarged = data.size * 8 // 7 if data.augment == "crop-flip" else data.size
        pipeline += [{"type": "CropPart"}, {"type": "Resize", "scale": [enlarged, enlarged], **data.resizing}]
        if data.augment == "crop-flip":
            pipeline.append({"type": "mmpretrain.RandomCrop", "crop_size": data.size})
            pipeline.append({"type": "mmpretrain.RandomFlip", "prob": 0.5, "direction": "horizontal"})
        pipeline.append({"type": "mmpretrain.PackInputs"})
    else:
        if not data.full_resolution:
            pipeline.append({"type": "Resize", "scale": [data.size, data.size], **data.resizing})
        pipeline.append({"type": "mmpretrain.PackInputs", "algorithm_keys": ["boxes", "calibration"]})
    return {
        "type": "LocalizationDataset",
        "options": data.model_dump(mode="json", exclude={"root"}),
        "split": split,
        "data_root": DATA,
        "pipeline": pipeline,
        "test_mode": split != "train",
    }
