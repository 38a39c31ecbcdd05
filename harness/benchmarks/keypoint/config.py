"""The mmengine config of a keypoint trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import backbones, config
from harness.benchmarks.backbones import Features
from harness.benchmarks.base import Split
from harness.benchmarks.keypoint.options import KeypointData, KeypointModel
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Filling
from harness.errors import UsageError

_BOX_PADDING = 1.25
"""Annotated boxes are enlarged by this factor before they are cut out (mmpose's default)."""


def compose(data: KeypointData, model: KeypointModel, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluators and schedule of one trial."""
    host = backbones.features(model)
    codec = _codec(data, model, host)
    return {
        "default_scope": "mmpose",
        "model": config.attend(_model(data, model, host, codec), model, fillings, data.size[::-1]),
        **config.loaders(lambda split: data.dataset(split, _pipeline(data, codec, split)), schedule.batch_size, collate="pseudo_collate"),
        **config.evaluators(_evaluators(data)),
        **config.training(schedule),
    }


def _evaluators(data: KeypointData) -> list[dict[str, Any]]:
    further = data.model_dump(mode="json", include={"norm", "thresholds", "segment"}, exclude_defaults=True)
    return [
        *([{"type": "KeypointAccuracy", **further}] if data.has_truth else []),
        *([{"type": "HeadAccuracy"}] if data.has_head else []),
        *([{"type": "KeypointAP", **({"every": True} if data.has_every_ap else {})}] if data.has_ap else []),
    ]


def _codec(data: KeypointData, model: KeypointModel, host: Features) -> dict[str, Any]:
    """Gaussian heatmaps at the resolution the head ends with, and how points are read from them."""
    if host.stride is None:
        raise UsageError(
            "model.backbone: give the stride of its last output as _stride, from which the size of the heatmaps follows, or leave out "
            "_channels: then both are found."
        )
    stride = host.stride / 2 ** len(model.deconv)
    if any(side % stride for side in data.size):
        raise UsageError(f"data.size: {data.size[0]}x{data.size[1]} is no multiple of {stride:g}, the stride of the model's heatmaps.")
    sizes = {"input_size": list(data.size), "heatmap_size": [int(side / stride) for side in data.size], "sigma": model.sigma}
    if model.decoding == "udp":
        return {"type": "mmpose.UDPHeatmap", **sizes}
    return {"type": "mmpose.MSRAHeatmap", **sizes, "unbiased": model.decoding == "unbiased"}


def _model(data: KeypointData, model: KeypointModel, host: Features, codec: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "mmpose.TopdownPoseEstimator",
        "data_preprocessor": {
            "type": "mmpose.PoseDataPreprocessor",
            **config.preprocessing(model),
            "bgr_to_rgb": True,
        },
        "backbone": host.config,
        "head": {
            "type": "mmpose.HeatmapHead",
            "in_channels": host.channels[-1],
            "out_channels": data.count,
            "deconv_out_channels": model.deconv,
            "deconv_kernel_sizes": [4] * len(model.deconv),
            "conv_out_channels": model.conv,
            "conv_kernel_sizes": [3] * len(model.conv),
            "loss": {"type": "mmpose.KeypointMSELoss", "use_target_weight": True},
            "decoder": codec,
        },
        # the training accuracy costs more than a small model's step
        "train_cfg": {"compute_acc": False},
        "test_cfg": {"flip_test": True, "flip_mode": "heatmap", "shift_heatmap": model.decoding != "udp"}
        if model.flip_test
        else {"flip_test": False},
    }


def _pipeline(data: KeypointData, codec: dict[str, Any], split: Split) -> list[dict[str, Any]]:
    fixed = [
        {"type": "ReadImage", "exif": data.exif, "bits": data.bits},
        {"type": "mmpose.GetBBoxCenterScale", "padding": 1.0 if data.whole_image else _BOX_PADDING},
    ]
    affine: dict[str, Any] = {"type": "mmpose.TopdownAffine", "input_size": list(data.size)}
    if codec["type"] == "mmpose.UDPHeatmap":
        affine["use_udp"] = True
    target = {"type": "mmpose.GenerateTarget", "encoder": codec}
    pack = {"type": "mmpose.PackPoseInputs"}
    if split != "train":
        return [{"type": "Remember", "transforms": [*fixed, affine]}, pack]
    if data.mirrors:
        flip = {"type": "mmpose.RandomFlip", "direction": "horizontal"}
        official: list[dict[str, Any]] = [{"type": "mmpose.RandomBBoxTransform", "shift_prob": 0.0}]
        if data.augment == "coco":
            official = [{"type": "mmpose.RandomHalfBody"}, {"type": "mmpose.RandomBBoxTransform"}]
        return [{"type": "Remember", "transforms": fixed}, flip, *official, affine, target, pack]
    if data.augment == "affine":
        turn = {"type": "mmpose.RandomBBoxTransform", "shift_factor": 0.1, "scale_factor": [0.8, 1.2], "rotate_factor": 30}
        return [{"type": "Remember", "transforms": fixed}, turn, affine, target, pack]
    return [{"type": "Remember", "transforms": [*fixed, affine, target]}, pack]
