"""The mmengine config of a detection trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config as shared
from harness.benchmarks.backbones import Features, features
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.detection.detectors import DETECTORS
from harness.benchmarks.detection.options import DetectionData, DetectionModel, InputOptions
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Filling
from harness.errors import UsageError

_META = ["img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "truth"]


def compose(data: DetectionData, model: DetectionModel, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluators and schedule of one trial.

    Raises:
        UsageError: masks are to be trained on, and the data has none; or the backbone does not say the stride of its last map.
    """
    masks = model.detector == "mask-rcnn"
    if masks and not data.has_masks:
        raise UsageError("model.detector: mask-rcnn is trained on masks, which data does not have. Write data.masks: true, or faster-rcnn.")
    host = features(model, model.levels)
    if host.stride is None:
        raise UsageError("model.backbone: give the stride of its last output as _stride, from which the anchors' follow.")
    detector = _detector(data, model, host, fillings)
    detector["data_preprocessor"] = {
        "type": "mmdet.DetDataPreprocessor",
        **shared.preprocessing(model),
        "bgr_to_rgb": True,
        "pad_size_divisor": model.input.divisor,
        **({"pad_mask": True} if masks else {}),
    }
    size = model.input.size or data.image_size or (512, 512)
    together = (model.input.size is not None and not model.input.keep_ratio) or data.image_size is not None
    return {
        "default_scope": "mmdet",
        "model": shared.attend(detector, model, fillings, size) | shared.in_encoder(fillings, "encoder.layers"),
        **shared.loaders(
            lambda split: _dataset(data, split, model.input, masks),
            schedule.batch_size,
            test_batch=schedule.batch_size if together else 1,
            collate="pseudo_collate",
        ),
        **shared.evaluators({"type": "DetectionScores", "masks": masks}),
        **shared.training(schedule),
    }


def _detector(data: DetectionData, model: DetectionModel, host: Features, fillings: dict[str, Filling]) -> dict[str, Any]:
    if filling := fillings.get("detector"):
        return {
            "type": "SetDetector",
            "backbone": host.config,
            "plugin": filling.plugin,
            "params": filling.params,
            "channels": host.channels,
            "classes": data.class_count,
            "found": model.found,
        }
    return DETECTORS[model.detector](model, host, data.class_count, fillings)


def _dataset(data: DetectionData, split: Split, images: InputOptions, masks: bool) -> dict[str, Any]:
    return {
        "type": "DetectionDataset",
        "data_root": DATA,
        "options": data.model_dump(mode="json", exclude={"root"}),
        "split": split,
        "pipeline": _pipeline(images, masks, train=split == "train"),
        "test_mode": split != "train",
    }


def _pipeline(images: InputOptions, masks: bool, *, train: bool) -> list[dict[str, Any]]:
    pack = {"type": "mmdet.PackDetInputs", "meta_keys": _META}
    read: list[dict[str, Any]] = [{"type": "ReadImage"}]
    if train:
        read.append({"type": "mmdet.LoadAnnotations", "with_bbox": True, "with_mask": masks})
    if images.size and images.keep_ratio:
        longer, shorter = max(images.size), min(images.size)
        resize: dict[str, Any] = {"type": "mmdet.Resize", "scale": (longer, shorter), "keep_ratio": True}  # mmcv takes pairs, no lists
    elif images.size:
        resize = {"type": "mmdet.Resize", "scale": images.size[::-1], "keep_ratio": False}
    else:
        resize = {"type": "mmdet.Resize", "scale_factor": 1.0}
    if not train:
        return [{"type": "Remember", "transforms": [*read, resize]}, pack]
    flip = [{"type": "mmdet.RandomFlip", "prob": images.flip}] if images.flip else []
    if not images.scales:
        return [{"type": "Remember", "transforms": [*read, resize]}, *flip, pack]
    return [*read, *flip, *_drawn_scale(images), pack]


def _drawn_scale(images: InputOptions) -> list[dict[str, Any]]:
    """One of the scales; of half of the images, where they are cut, behind a cut of 384 to 600 pixels at one of three (DETR)."""

    def one_of(sides: list[int]) -> dict[str, Any]:
        assert images.size
        scales = [(side, max(images.size)) for side in sides]
        return {"type": "RandomChoiceResize", "scales": scales, "resize_type": "mmdet.Resize", "keep_ratio": True}

    if not images.crop:
        return [one_of(images.scales)]
    cut = {"type": "mmdet.RandomCrop", "crop_type": "absolute_range", "crop_size": (384, 600), "allow_negative_crop": True}
    cutting = [one_of([400, 500, 600]), cut, one_of(images.scales)]
    return [{"type": "RandomChoice", "transforms": [[one_of(images.scales)], cutting]}]
