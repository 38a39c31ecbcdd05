"""The mmengine config of a segmentation trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config as shared
from harness.benchmarks.backbones import features
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.segmentation.heads import MMSEG, Head
from harness.benchmarks.segmentation.options import InputOptions, SegmentationData, SegmentationModel, SegmentationSchedule
from harness.catalog import Filling
from harness.errors import UsageError


def compose(
    data: SegmentationData, model: SegmentationModel, schedule: SegmentationSchedule, fillings: dict[str, Filling]
) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial.

    Raises:
        UsageError: the weights of the classes are not one for each.
    """
    if model.class_weight and len(model.class_weight) != data.class_count:
        raise UsageError(f"model.class_weight: {len(model.class_weight)} weights for {data.class_count} classes. Give one for each.")
    size = model.input.crop or model.input.size or data.image_size or (512, 512)
    # images of different sizes cannot stand in one batch
    together = (model.input.size is not None and not model.input.keep_ratio) or data.image_size is not None
    segmentor = _segmentor(model, fillings, data.class_count, data.ignore_index)
    config = {
        "default_scope": "mmseg",
        "model": shared.attend(segmentor, model, fillings, size),
        **shared.loaders(
            lambda split: _dataset(data, split, model.input), schedule.batch_size, test_batch=schedule.batch_size if together else 1
        ),
        **shared.evaluators({"type": "SegmentationScores", "ignore_index": data.ignore_index}),
        **shared.training(schedule),
    }
    if data.server:
        config["custom_hooks"] = [{"type": "WritePredictions", "server": data.server}]
    if schedule.decay == "poly":
        end = 1e-4 * schedule.lr if schedule.lr_end is None else schedule.lr_end
        config["param_scheduler"].append({"type": "PolyLR", "power": 0.9, "eta_min": end, "by_epoch": True,
                                          "begin": 0, "end": schedule.epochs, "convert_to_iter_based": True})  # fmt: skip
    return config


def _segmentor(options: SegmentationModel, fillings: dict[str, Filling], num_classes: int, ignore_index: int) -> dict[str, Any]:
    """``mmseg.EncoderDecoder`` with the context head."""
    host = features(options, options.levels)
    widths = host.channels
    concat = options.fuse == "concat" and len(widths) > 1
    head = {"num_classes": num_classes, "ignore_index": ignore_index, "dropout_ratio": options.dropout, "norm_cfg": {"type": "BN"}}
    if options.align_corners:
        head["align_corners"] = True
    filling = fillings.get("context")
    plugin, params = (filling.plugin, filling.params) if filling else ("identity", {})
    own = (MMSEG.get(plugin) if options.head == "mmseg" else None) or Head()
    fixed = options.input.crop or options.input.size
    model: dict[str, Any] = {
        "type": "mmseg.EncoderDecoder",
        "data_preprocessor": {
            "type": "mmseg.SegDataPreProcessor",
            **shared.preprocessing(options),
            "bgr_to_rgb": True,
            **({"size": fixed} if fixed else {"size_divisor": 1}),
            "seg_pad_val": ignore_index,
        },
        "backbone": host.config,
        "decode_head": {
            "type": "ContextHead",
            "plugin": plugin,
            "params": {**own.params, **params},
            "level_channels": widths,
            "in_channels": widths if concat else widths[-1],
            "in_index": list(range(len(widths))) if concat else len(widths) - 1,
            "input_transform": "resize_concat" if concat else None,
            "channels": options.channels,
            "init_cfg": {"type": "Normal", "std": options.classifier_std, "override": {"name": "conv_seg"}},
            **head,
            **_main_loss(options),
            **own.of_width(options.channels),
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
            "channels": options.auxiliary_channels or max(options.channels // 2, 8),
            "num_convs": 1,
            "concat_input": False,
            "loss_decode": _cross_entropy(options, options.auxiliary),
            **head,
        }
    if options.input.test_scales or options.input.test_flip:
        scales = options.input.test_scales or [1.0]
        model |= {"type": "ScalesAndFlips", "scales": scales, "flip": options.input.test_flip}
    return model


def _main_loss(options: SegmentationModel) -> dict[str, Any]:
    """Of the context head, where it is not mmseg's default."""
    loss: dict[str, Any] = {"loss_decode": _cross_entropy(options, 1.0)} if options.class_weight or options.ohem else {}
    if options.ohem:
        loss["sampler"] = {"type": "mmseg.OHEMPixelSampler", "thresh": options.ohem.threshold, "min_kept": options.ohem.at_least}
    return loss


def _cross_entropy(options: SegmentationModel, weight: float) -> dict[str, Any]:
    if options.class_weight or options.ohem:
        return {"type": "KeptCrossEntropy", "loss_weight": weight, "class_weight": options.class_weight}
    return {"type": "mmseg.CrossEntropyLoss", "loss_weight": weight}


def _dataset(data: SegmentationData, split: Split, images: InputOptions) -> dict[str, Any]:
    return {
        "type": "SegmentationDataset",
        "data_root": DATA,
        "options": data.model_dump(mode="json", exclude={"root", "palette"}),
        "split": split,
        "pipeline": _train_pipeline(images, data.ignore_index) if split == "train" else _test_pipeline(images),
        "test_mode": split != "train",
    }


def _train_pipeline(images: InputOptions, ignore_index: int) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"type": "ReadImage"}, {"type": "ReadLabel"}]
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
    steps: list[dict[str, Any]] = [{"type": "ReadImage"}]
    if images.size:
        steps.append({"type": "Resize", "scale": (images.size[1], images.size[0]), "keep_ratio": images.keep_ratio})
    # labels are loaded after the resize: predictions are scored at the image's own size
    return [*steps, {"type": "ReadLabel"}, {"type": "mmseg.PackSegInputs"}]
