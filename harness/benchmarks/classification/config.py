"""The mmengine config of a classification trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import backbones, config
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.classification.options import ClassificationData, ClassificationModel
from harness.benchmarks.classification.scores import topk
from harness.benchmarks.options import IMAGENET_MEAN, IMAGENET_STD, ScheduleOptions
from harness.catalog import Filling


def compose(
    data: ClassificationData, model: ClassificationModel, schedule: ScheduleOptions, fillings: dict[str, Filling]
) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial."""
    return {
        "default_scope": "mmpretrain",
        "model": config.attend(_model(data, model, fillings), model, fillings, (data.size, data.size)),
        **config.loaders(lambda split: _dataset(data, split), schedule.batch_size, collate="default_collate"),
        **config.evaluators({"type": "TopAccuracy", "topk": topk(data)}),
        **config.training(schedule),
    }


def _model(data: ClassificationData, model: ClassificationModel, fillings: dict[str, Filling]) -> dict[str, Any]:
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
            "loss": _loss(model),
        },
        **({"train_cfg": {"augments": blended}} if (blended := _blended(model)) else {}),
    }


def _blended(model: ClassificationModel) -> list[dict[str, Any]]:
    both = (("Mixup", model.mixup), ("CutMix", model.cutmix))
    return [{"type": f"mmpretrain.{name}", "alpha": alpha} for name, alpha in both if alpha]


def _loss(model: ClassificationModel) -> dict[str, Any]:
    if model.label_smoothing:
        return {"type": "mmpretrain.LabelSmoothLoss", "label_smooth_val": model.label_smoothing, "mode": "original"}
    return {"type": "mmpretrain.CrossEntropyLoss", **({"use_soft": True} if _blended(model) else {})}


_GREY = [round(value) for value in IMAGENET_MEAN[::-1]]

_ERASING = {
    "type": "mmpretrain.RandomErasing",
    "mode": "rand",
    "min_area_ratio": 0.02,
    "max_area_ratio": 1 / 3,
    "fill_color": list(IMAGENET_MEAN[::-1]),
    "fill_std": list(IMAGENET_STD[::-1]),
}
"""timm's ``pixel`` mode: noise of ImageNet's mean and spread (blue, green, red)."""


def _resized(data: ClassificationData) -> list[dict[str, Any]]:
    """ImageNet's augmentation."""
    crop = {"type": "mmpretrain.RandomResizedCrop", "scale": data.size, "interpolation": data.interpolation, **data.resizing}
    steps: list[dict[str, Any]] = [crop, {"type": "mmpretrain.RandomFlip", "prob": 0.5, "direction": "horizontal"}]
    if data.augment == "rand-augment":
        how = {"num_policies": 2, "total_level": 10, "magnitude_level": 9, "magnitude_std": 0.5}
        filling = {"pad_val": _GREY, "interpolation": data.interpolation}
        steps.append({"type": "mmpretrain.RandAugment", "policies": "timm_increasing", **how, "hparams": filling})
    return steps


def _dataset(data: ClassificationData, split: Split) -> dict[str, Any]:
    fixed: list[dict[str, Any]] = [
        {"type": "ReadImage"},
        {
            "type": "mmpretrain.ResizeEdge",
            "scale": data.resize or data.size,
            "edge": "short",
            "interpolation": data.interpolation,
            **data.resizing,
        },
    ]
    varied: list[dict[str, Any]] = []
    if split == "train" and data.augment in ("resized-crop-flip", "rand-augment"):
        del fixed[1]  # a part of the whole image
        varied += _resized(data)
    elif split == "train" and data.augment != "none":
        mode = "constant" if data.augment == "pad-crop-flip" else "reflect"
        varied.append({"type": "mmpretrain.RandomCrop", "crop_size": data.size, "padding": data.size // 8, "padding_mode": mode})
        if data.augment != "crop":
            varied.append({"type": "mmpretrain.RandomFlip", "prob": 0.5, "direction": "horizontal"})
    else:
        fixed.append({"type": "mmpretrain.CenterCrop", "crop_size": data.size})
    if split == "train" and data.erase:
        varied.append({**_ERASING, "erase_prob": data.erase})
    pipeline = [{"type": "Remember", "transforms": fixed}, *varied, {"type": "mmpretrain.PackInputs"}]
    return {
        "type": "ClassDataset",
        "data_root": DATA,
        "options": data.model_dump(mode="json", exclude={"root"}),
        "split": split,
        "pipeline": pipeline,
        "test_mode": split != "train",
    }
