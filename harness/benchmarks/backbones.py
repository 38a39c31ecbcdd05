"""Backbones by name. Every one is an OpenMMLab class; the same names serve all families."""

from __future__ import annotations

from typing import Any

from harness.benchmarks.base import BlockPlace, ModelOptions
from harness.errors import did_you_mean


def _narrow(stages: int = 3, width: int = 32, **kwargs) -> dict[str, Any]:
    # a residual network small enough that a trial takes seconds on one core
    return {
        "type": "mmpretrain.ResNet",
        "depth": 18,
        "in_channels": 3,
        "stem_channels": width,
        "base_channels": width,
        "num_stages": stages,
        "strides": (1, 2, 2, 2)[:stages],
        "dilations": (1, 1, 1, 1)[:stages],
        "out_indices": (stages - 1,),
        **kwargs,
    }


BACKBONES: dict[str, dict[str, Any]] = {
    # name: config, width of the last output, its stride, and where blocks go
    "resnet-narrow": {"config": _narrow(), "channels": 128, "stride": 16, "block_at": ["backbone.layer3"]},
    "resnet-narrow-s8": {
        # twice the positions, where a task asks where something is
        "config": _narrow(width=24, strides=(1, 2, 1)), "channels": 96, "stride": 8, "block_at": ["backbone.layer3"],
    },
    "resnet18": {
        "config": {"type": "mmpretrain.ResNet", "depth": 18, "out_indices": (3,)},
        "channels": 512, "stride": 32, "block_at": ["backbone.layer3"],
    },
    "resnet50": {
        "config": {"type": "mmpretrain.ResNet", "depth": 50, "out_indices": (3,)},
        "channels": 2048, "stride": 32, "block_at": ["backbone.layer3"],
    },
    "mobilenet-v2": {
        "config": {"type": "mmpretrain.MobileNetV2", "out_indices": (7,)},
        "channels": 1280, "stride": 32, "block_at": ["backbone.conv2"],
    },
    "mobilenet-v2-s16": {
        # up to the last stage of stride 16, where localization keeps more positions
        "config": {"type": "mmpretrain.MobileNetV2", "out_indices": (4,)},
        "channels": 96, "stride": 16, "block_at": ["backbone.layer5"],
    },
}  # fmt: skip


def describe(model: ModelOptions) -> dict[str, Any]:
    """Config, width, stride and block places of ``model.backbone``.

    For a backbone given as a config, ``channels`` and ``stride`` must stand in it as ``_channels`` and
    ``_stride``.

    Raises:
        UsageError: unknown name.
    """
    if isinstance(model.backbone, str):
        if model.backbone not in BACKBONES:
            raise did_you_mean(model.backbone, BACKBONES, "backbone")
        return BACKBONES[model.backbone]
    config = dict(model.backbone)
    return {
        "channels": config.pop("_channels", None),
        "stride": config.pop("_stride", None),
        "block_at": [],
        "config": config,
    }


def block_places(model: ModelOptions) -> list[BlockPlace]:
    """Where the ``block`` slot of a model lies."""
    return model.block_at or [BlockPlace(path=path) for path in describe(model)["block_at"]]
