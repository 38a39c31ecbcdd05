"""The mmengine config of a segmentation trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config as shared
from harness.benchmarks.backbones import describe
from harness.benchmarks.base import DATA
from harness.benchmarks.segmentation import toolbox
from harness.benchmarks.segmentation.options import (
    Folder,
    FolderData,
    InputOptions,
    SegmentationModel,
    SyntheticData,
    ToolboxData,
)
from harness.benchmarks.segmentation.readers import folders, suffixes
from harness.catalog import Filling
from harness.errors import UsageError

_LEVELS: dict[str, dict[int, int]] = {
    # named backbone: index of an output -> its width
    "resnet-narrow": {0: 32, 1: 64, 2: 128},
    "resnet18": {0: 64, 1: 128, 2: 256, 3: 512},
    "resnet50": {0: 256, 1: 512, 2: 1024, 3: 2048},
    "mobilenet-v2": {0: 16, 1: 24, 2: 32, 3: 64, 4: 96, 5: 160, 6: 320, 7: 1280},
    "mobilenet-v2-s16": {0: 16, 1: 24, 2: 32, 3: 64, 4: 96, 5: 160, 6: 320, 7: 1280},
}


def backbone(options: SegmentationModel) -> tuple[dict[str, Any], list[int]]:
    """The backbone's config and the widths of its outputs, shallow to deep.

    Raises:
        UsageError: a level the backbone does not have, or a backbone config without its widths.
    """
    about = describe(options)
    built = dict(about["config"])
    if isinstance(options.backbone, dict):
        channels = about["channels"]
        if not channels:
            raise UsageError("model.backbone: give the width of its outputs as _channels, a number or a list.")
        return built, [channels] if isinstance(channels, int) else list(channels)
    if not options.levels:
        return built, [about["channels"]]
    known = _LEVELS[options.backbone]
    levels = sorted(set(options.levels))
    unknown = [level for level in levels if level not in known]
    if unknown:
        raise UsageError(f"model.levels: '{options.backbone}' has no level {unknown[0]}. Its levels: {', '.join(map(str, known))}.")
    built["out_indices"] = tuple(levels)
    if built["type"] == "mmpretrain.ResNet":
        # later stages would be computed and never used
        stages = levels[-1] + 1
        built["num_stages"] = stages
        built["strides"] = tuple(built.get("strides", (1, 2, 2, 2)))[:stages]
        built["dilations"] = tuple(built.get("dilations", (1, 1, 1, 1)))[:stages]
    return built, [known[level] for level in levels]


def segmentor(options: SegmentationModel, fillings: dict[str, Filling], num_classes: int, ignore_index: int) -> dict[str, Any]:
    """``mmseg.EncoderDecoder`` with the context head."""
    features, widths = backbone(options)
    concat = options.fuse == "concat" and len(widths) > 1
    head = {"num_classes": num_classes, "ignore_index": ignore_index, "dropout_ratio": options.dropout, "norm_cfg": {"type": "BN"}}
    filling = fillings.get("context")
    fixed = options.input.crop or options.input.size
    model: dict[str, Any] = {
        "type": "mmseg.EncoderDecoder",
        "data_preprocessor": {
            "type": "mmseg.SegDataPreProcessor",
            "mean": shared.IMAGENET_MEAN,
            "std": shared.IMAGENET_STD,
            "bgr_to_rgb": True,
            **({"size": fixed} if fixed else {"size_divisor": 1}),
            "seg_pad_val": ignore_index,
        },
        "backbone": features,
        "decode_head": {
            "type": "ContextHead",
            "plugin": filling.plugin if filling else "identity",
            "params": filling.params if filling else {},
            "level_channels": widths,
            "in_channels": widths if concat else widths[-1],
            "in_index": list(range(len(widths))) if concat else len(widths) - 1,
            "input_transform": "resize_concat" if concat else None,
            "channels": options.channels,
            "init_cfg": {"type": "Normal", "std": options.classifier_std, "override": {"name": "conv_seg"}},
            **head,
        },
        "train_cfg": {},
        "test_cfg": {"mode": "slide", "crop_size": options.input.crop, "stride": options.input.slide}
        if options.input.slide
        else {"mode": "whole"},
    }
    if options.auxiliary:
        index = max(len(widths) - 2, 0)
        model["auxiliary_head"] = {
            "type": "mmseg.FCNHead",
            "in_channels": widths[index],
            "in_index": index,
            "channels": max(options.channels // 2, 8),
            "num_convs": 1,
            "concat_input": False,
            "loss_decode": {"type": "mmseg.CrossEntropyLoss", "loss_weight": options.auxiliary},
            **head,
        }
    return model


def datasets(options: SyntheticData | FolderData | ToolboxData, images: InputOptions) -> tuple[dict[str, Any], dict[str, Any]]:
    """The training and the test dataset."""
    train, test = _train_pipeline(images, options.ignore_index), _test_pipeline(images)
    if isinstance(options, ToolboxData):
        return toolbox.config(options, "train", train), toolbox.config(options, "test", test)
    parts = [_folder(options, folder, train, test=False) for folder in folders(options, "train")]
    joined = parts[0] if len(parts) == 1 else {"type": "ConcatDataset", "datasets": parts}
    return joined, _folder(options, folders(options, "test")[0], test, test=True)


def _folder(options: SyntheticData | FolderData, folder: Folder, pipeline: list[dict[str, Any]], *, test: bool) -> dict[str, Any]:
    image_suffix, label_suffix = suffixes(options)
    return {
        "type": "mmseg.BaseSegDataset",
        "data_root": DATA,
        "data_prefix": {"img_path": folder.images, "seg_map_path": folder.labels},
        "ann_file": folder.list or "",
        "img_suffix": image_suffix,
        "seg_map_suffix": label_suffix,
        "metainfo": {"classes": list(options.classes)},
        "ignore_index": options.ignore_index,
        "reduce_zero_label": options.reduce_zero_label,
        "pipeline": pipeline,
        "test_mode": test,
    }


def _train_pipeline(images: InputOptions, ignore_index: int) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"type": "LoadImageFromFile"}, {"type": "mmseg.LoadAnnotations"}]
    if images.size:
        scale = (images.size[1], images.size[0])  # mmcv counts (width, height)
        if images.scale:
            steps.append({"type": "RandomResize", "scale": scale, "ratio_range": images.scale, "keep_ratio": images.keep_ratio})
        else:
            steps.append({"type": "Resize", "scale": scale, "keep_ratio": images.keep_ratio})
    if images.crop:
        steps.append({"type": "mmseg.RandomCrop", "crop_size": images.crop, "cat_max_ratio": 0.75, "ignore_index": ignore_index})
    if images.flip:
        steps.append({"type": "RandomFlip", "prob": images.flip})
    if images.photometric:
        steps.append({"type": "mmseg.PhotoMetricDistortion"})
    return [*steps, {"type": "mmseg.PackSegInputs"}]


def _test_pipeline(images: InputOptions) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"type": "LoadImageFromFile"}]
    if images.size:
        steps.append({"type": "Resize", "scale": (images.size[1], images.size[0]), "keep_ratio": images.keep_ratio})
    # labels are loaded after the resize: predictions are scored at the image's own size
    return [*steps, {"type": "mmseg.LoadAnnotations"}, {"type": "mmseg.PackSegInputs"}]
