"""The mmengine config of a camera-localization trial, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import backbones
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.camera_localization.options import CameraData, CameraModel, CameraSchedule, FineTune
from harness.benchmarks.config import attend, epochs, evaluators, loaders, preprocessing, training
from harness.benchmarks.options import BlockPlace
from harness.catalog import Filling
from harness.errors import UsageError
from harness.slots import SLOTS


def compose(data: CameraData, model: CameraModel, schedule: CameraSchedule, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial.

    Raises:
        UsageError: an unknown backbone.
    """
    varied = data.augment or schedule.finetune is not None
    # by default both feature maps get a block each, on every backbone
    placed = model.model_copy(update={"block_at": model.block_at or [BlockPlace(path="backbone")]})
    config = {**training(schedule), "custom_hooks": [{"type": "PosePictures"}]}
    if schedule.optimizer != "SGD":
        config["optim_wrapper"]["optimizer"]["eps"] = schedule.eps
    if schedule.finetune:
        _add_stage(config, schedule.epochs, schedule.finetune)
    return {
        "model": attend(_model(data, model, fillings), placed, fillings, data.input_size),
        **loaders(
            lambda split: _dataset(data, split, varied and split == "train"), schedule.batch_size, test_batch=2 * schedule.batch_size
        ),
        **evaluators(
            {
                "type": "PoseMetric",
                "scenes": data.scene_names,
                "thresholds": [list(pair) for pair in data.pairs],
                "lower": data.median == "lower",
                "length": data.length,
            }
        ),
        "default_scope": "mmengine",
        **config,
    }


def _model(data: CameraData, model: CameraModel, fillings: dict[str, Filling]) -> dict[str, Any]:
    def filling(slot: str) -> dict[str, Any] | None:
        found = fillings.get(slot)
        if found is None:
            return {"plugin": SLOTS[slot].baseline, "params": {}} if SLOTS[slot].baseline else None
        return {"plugin": found.plugin, "params": found.params}

    host = backbones.features(model, pair=True)
    if len(host.channels) != 2:
        raise UsageError(
            "model.backbone: this needs two outputs, fine and coarse: give two out_indices (and their widths as `_channels`, or none)."
        )
    head = filling("model")
    transformer = {
        **model.model_dump(mode="json", include={"dim", "heads", "depth", "ffn_dim", "dropout", "hidden"}),
        "encoder": filling("encoder_attention"),
        "position": filling("position_encoding"),
    }
    return {
        "type": "CameraPoseRegressor",
        "backbone": host.config,
        "channels": host.channels,
        "scenes": len(data.scenes),
        **({"head": head} if head else {"transformer": transformer}),
        "attention_loss": filling("attention_loss"),
        "uncertainty": list(model.uncertainty),
        "data_preprocessor": {"type": "ImgDataPreprocessor", **preprocessing(model), "bgr_to_rgb": True},
    }


def _dataset(data: CameraData, split: Split, varied: bool) -> dict[str, Any]:
    train = split == "train"
    # the root's place and the metrics are no property of the images
    options = data.model_dump(mode="json", exclude={"root", "thresholds", "median"})
    resize = (
        {"type": "mmpretrain.ResizeEdge", "scale": data.resize, "edge": "short", **data.resizing}
        if isinstance(data.resize, int)
        else {"type": "Resize", "scale": [data.resize[1], data.resize[0]], "keep_ratio": False, **data.resizing}
    )
    plain = [{"type": "mmpretrain.CenterCrop", "crop_size": data.crop}] if data.crop else []
    augmented = [{"type": "mmpretrain.RandomCrop", "crop_size": data.crop}] if data.crop else []
    # torchvision's jitter is the authors'; OpenMMLab's own cannot turn the hue back under NumPy 2
    augmented += [
        {"type": "mmpretrain.NumpyToPIL", "to_rgb": True},
        {"type": "mmpretrain.torchvision/ColorJitter", "brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.2},
        {"type": "mmpretrain.PILToNumpy", "to_bgr": True},
    ]
    crop = [{"type": "AugmentWhen", "plain": plain, "augmented": augmented, "active": data.augment}] if varied else plain
    return {
        "type": "PoseDataset",
        "root": DATA,
        "options": options,
        "split": split,
        "equalise": data.equalise and train,
        "pipeline": [{"type": "Remember", "transforms": [{"type": "ReadImage"}, resize]}, *crop, {"type": "PackPose"}],
    }


def _add_stage(config: dict[str, Any], begin: int, stage: FineTune) -> None:
    """Append the second training stage: its epochs, its learning-rate steps and the hook that switches."""
    for scheduler in config["param_scheduler"]:
        scheduler.update(begin=scheduler.get("begin", 0), end=scheduler.get("end", begin))
    end = begin + stage.epochs
    steps = {"type": "StepLR", "step_size": stage.step, "gamma": 0.1, "by_epoch": True, "begin": begin, "end": end}
    config["param_scheduler"].append(steps)
    config["train_cfg"] = epochs(end)
    config["custom_hooks"].append({"type": "FineTunePosition", "begin": begin, "lr": stage.lr})
