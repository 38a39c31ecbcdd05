"""Backbones by name: one table for all families. Every one is an OpenMMLab class.

Beside the table there are ``timm:NAME`` and ``torchvision:NAME``, whose levels a pass of an image tells
(:mod:`harness.benchmarks.measured`), as it does of a config given by hand that does not say its widths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Any

from harness.benchmarks.measured import maps
from harness.benchmarks.options import BlockPlace, ModelOptions
from harness.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Backbone:
    """A backbone and the feature maps it can give."""

    config: dict[str, Any]
    """Of the OpenMMLab class, without ``out_indices``."""
    levels: dict[int, tuple[int, int]]
    """Index of an output -> its width and stride."""
    last: int
    """The level that a task with one map reads."""
    pair: tuple[int, int]
    """The fine and the coarse level that a task with two maps reads."""
    block_at: str
    """The module behind which blocks go."""


@dataclass(frozen=True)
class Features:
    """A backbone's config and the widths of the maps it returns, shallow to deep."""

    config: dict[str, Any]
    channels: list[int]
    stride: int | None
    """Of the deepest map; ``None`` where a config given by hand does not say."""
    strides: list[int]
    """Of all maps; of a config given by hand each is taken to be half the next."""


def _residual(depth: int, width: int, strides: tuple[int, ...] = (1, 2, 2, 2), **config: Any) -> Backbone:
    totals = accumulate(strides[1:], mul, initial=4 * strides[0])
    levels = {stage: (width << stage, total) for stage, total in enumerate(totals)}
    third = min(3, len(levels))
    return Backbone(
        {"type": "mmpretrain.ResNet", "depth": depth, **config}, levels, len(levels) - 1, (third - 2, third - 1), f"backbone.layer{third}"
    )


def _narrow(width: int, strides: tuple[int, ...] = (1, 2, 2)) -> Backbone:
    # a residual network small enough that a trial takes seconds on one core
    narrow = _residual(18, width, strides, in_channels=3, stem_channels=width, base_channels=width)
    narrow.config.update(num_stages=len(strides), strides=strides, dilations=(1,) * len(strides))
    return narrow


_CIFAR = {0: (16, 1), 1: (32, 2), 2: (64, 4)}
_MOBILENET_V2 = {0: (16, 2), 1: (24, 4), 2: (32, 8), 3: (64, 16), 4: (96, 16), 5: (160, 32), 6: (320, 32), 7: (1280, 32)}
_EFFICIENTNET_B0 = {0: (32, 2), 1: (16, 2), 2: (24, 4), 3: (40, 8), 4: (112, 16), 5: (320, 32), 6: (1280, 32)}

BACKBONES: dict[str, Backbone] = {
    "resnet-thin": _narrow(16),
    "resnet-thin-s8": _narrow(16, (1, 2, 1)),
    "resnet-narrow": _narrow(32),
    # more positions, where a task asks where something is
    "resnet-narrow-s8": _narrow(24, (1, 2, 1)),
    "resnet-narrow-s4": _narrow(24, (1, 1)),
    # whose output sees 21 pixels to each side
    "resnet-local-s4": _narrow(24, (1,)),
    "resnet18": _residual(18, 64),
    "resnet50": _residual(50, 256),
    "resnet20-cifar": Backbone({"type": "CifarResNet", "depth": 20}, _CIFAR, 2, (1, 2), "backbone.layer3"),
    "resnet56-cifar": Backbone({"type": "CifarResNet", "depth": 56}, _CIFAR, 2, (1, 2), "backbone.layer3"),
    "mobilenet-v2": Backbone({"type": "mmpretrain.MobileNetV2"}, _MOBILENET_V2, 7, (4, 7), "backbone.conv2"),
    # up to the last stage of stride 16, where localization keeps more positions
    "mobilenet-v2-s16": Backbone({"type": "mmpretrain.MobileNetV2"}, _MOBILENET_V2, 4, (2, 4), "backbone.layer5"),
    "efficientnet-b0": Backbone({"type": "mmpretrain.EfficientNet", "arch": "b0"}, _EFFICIENTNET_B0, 6, (3, 4), "backbone.layers.4"),
}

LIBRARIES = {"timm": "TimmBackbone", "torchvision": "TorchvisionBackbone"}
"""Library of networks -> the class that makes backbones of them, see :mod:`harness.benchmarks.parts.foreign`."""


def features(model: ModelOptions, levels: Sequence[int] | None = None, *, pair: bool = False) -> Features:
    """The backbone of ``model``.

    Args:
        levels: which outputs; those of the config, or the named backbone's last one, by default.
        pair: the named backbone's fine and coarse level instead.

    Raises:
        UsageError: an unknown name, a level the backbone does not have, or a config without the widths of its outputs.
    """
    if not isinstance(model.backbone, str):
        return _by_hand(model.backbone)
    found = _named(model.backbone)
    if pair and len(found.levels) < 2:
        raise UsageError(f"model.backbone: '{model.backbone}' has one map, and two are needed. Name another one.")
    wanted: Sequence[int] = found.pair if pair else sorted(set(levels or ()))
    unknown = [level for level in wanted if level not in found.levels]
    if unknown:
        raise UsageError(f"model.levels: '{model.backbone}' has no level {unknown[0]}. Its levels: {', '.join(map(str, found.levels))}.")
    wanted = tuple(wanted) or (found.last,)
    config = {**found.config, "out_indices": wanted}
    if config["type"] == "mmpretrain.ResNet" and wanted[-1] < found.last:
        # later stages would be computed and never used
        stages = wanted[-1] + 1
        config["num_stages"] = stages
        config["strides"] = tuple(config.get("strides", (1, 2, 2, 2)))[:stages]
        config["dilations"] = tuple(config.get("dilations", (1, 1, 1, 1)))[:stages]
    widths, strides = ([found.levels[level][part] for level in wanted] for part in (0, 1))
    return Features(config, widths, strides[-1], strides)


def _named(name: str) -> Backbone:
    library, colon, inside = name.partition(":")
    if colon and library in LIBRARIES:
        return _of_library(library, inside)
    if name not in BACKBONES:
        raise did_you_mean(name, BACKBONES, "backbone")
    return BACKBONES[name]


def _of_library(library: str, name: str) -> Backbone:
    if not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?", name):  # timm takes folders and addresses for names, too
        raise UsageError(f"model.backbone: '{library}:{name}': write the name of a network of {library} behind the colon, e.g. resnet18.")
    config = {"type": LIBRARIES[library], "name": name}
    levels = {level: (width, stride) for level, (width, stride) in enumerate(maps(config)) if stride is not None}
    if not levels:
        raise UsageError(f"model.backbone: '{library}:{name}' gives no maps. Take another network.")
    last = max(levels)
    coarser = [level for level, (_, stride) in levels.items() if stride < levels[last][1]]
    pair = (coarser[-1] if coarser else last // 2, last)  # of a transformer all maps are alike
    return Backbone(config, levels, last, pair, "backbone")


def _by_hand(given: dict[str, Any]) -> Features:
    config = dict(given)
    channels, stride = config.pop("_channels", None), config.pop("_stride", None)
    if channels is None:
        found = maps(config)
        last = found[-1][1] if stride is None else stride
        told = [one for _, one in found if one is not None]
        return Features(config, [width for width, _ in found], last, told if len(told) == len(found) else _halved(last, len(found)))
    widths = [channels] if isinstance(channels, int) else list(channels or ())
    if not widths or not all(isinstance(width, int) for width in widths):
        raise UsageError("model.backbone: _channels is the width of its outputs, a number or a list, shallow to deep.")
    return Features(config, widths, stride, _halved(stride, len(widths)))


def _halved(last: int | None, count: int) -> list[int]:
    return [last >> (count - 1 - level) for level in range(count)] if last else []


def block_places(model: ModelOptions) -> list[BlockPlace]:
    """Where the ``block`` slot of a model lies; behind the whole backbone where its config was given by hand."""
    if model.block_at:
        return model.block_at
    return [BlockPlace(path=_named(model.backbone).block_at)] if isinstance(model.backbone, str) else [BlockPlace(path="backbone")]
