"""The mmengine config of a trial of pre-training, as plain dictionaries."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config
from harness.benchmarks.base import DATA, Split
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.self_supervised.options import PretrainedModel, PretrainingSchedule
from harness.catalog import Filling
from harness.errors import UsageError
from harness.slots import SLOTS

_TEST_BATCH = 256


def compose(
    data: ClassificationData, model: PretrainedModel, schedule: PretrainingSchedule, fillings: dict[str, Filling]
) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial.

    Training images come as they are: their views are made in the model. The validation is looked at once, at the end; test and validation
    hand out the images that a protocol knows the classes of, too.

    Raises:
        UsageError: options of data and model that exclude each other.
    """
    if data.size % model.patch:
        raise UsageError(f"data.size is {data.size}, no multiple of model.patch, {model.patch} pixels. Change one of them.")
    if data.augment != "none" or data.erase:
        raise UsageError("data.augment: views are made by model.views here. Leave augment and erase out.")
    decay = None if schedule.weight_decay_end is None else (schedule.weight_decay, schedule.weight_decay_end)
    composed = {
        "default_scope": "mmpretrain",
        "model": _model(data, model, fillings),
        **config.loaders(lambda split: _dataset(data, split), schedule.batch_size, test_batch=_TEST_BATCH, collate="default_collate"),
        **config.evaluators({"type": "Representation"}),
        **config.training(schedule, validations=1),
        "custom_hooks": [{"type": "Pretraining", "weight_decay": decay}],
    }
    return composed


def _model(data: ClassificationData, model: PretrainedModel, fillings: dict[str, Filling]) -> dict[str, Any]:
    plain = (
        {"plugin": "random-masking", "params": {"masking_prob": 0.0}} if "pooling" in fillings else {"plugin": SLOTS["masking"].baseline}
    )
    filled = {slot: {"plugin": filling.plugin, "params": filling.params} for slot, filling in fillings.items()}
    common: dict[str, Any] = {
        "backbone": model.transformer(data.size),
        "masking": {"params": {}, **plain, **filled.get("masking", {})},
        "size": data.size,
        "views": model.views.model_dump(mode="json"),
        "mean": list(model.mean),
        "std": list(model.std),
        # pixels from 0 to 1
        "data_preprocessor": {"type": "mmpretrain.ClsDataPreprocessor", "mean": [0, 0, 0], "std": [255, 255, 255], "to_rgb": True},
    }
    if model.host == "ibot":
        return {
            "type": "SelfDistillation",
            **common,
            "distillation": model.distillation.model_dump(mode="json"),
            "drop_path": model.drop_path,
            **({"pooling": filled["pooling"]} if "pooling" in filled else {}),
        }
    common["backbone"]["drop_path_rate"] = model.drop_path
    if model.host == "simmim":
        return {
            "type": "MaskedPixels",
            **common,
            "neck": {"type": "mmpretrain.SimMIMLinearDecoder", "in_channels": model.width, "encoder_stride": model.patch},
            "head": {
                "type": "mmpretrain.SimMIMHead",
                "patch_size": model.patch,
                "loss": {"type": "mmpretrain.PixelReconstructionLoss", "criterion": "L1", "channel": 3},
            },
        }
    width, depth, heads = model.decoder
    return {
        "type": "MaskedAutoencoder",
        **common,
        "neck": {
            "type": "mmpretrain.MAEPretrainDecoder",
            "num_patches": (data.size // model.patch) ** 2,
            "patch_size": model.patch,
            "embed_dim": model.width,
            "decoder_embed_dim": width,
            "decoder_depth": depth,
            "decoder_num_heads": heads,
        },
        "head": {
            "type": "mmpretrain.MAEPretrainHead",
            "norm_pix": model.normalized_pixels,
            "patch_size": model.patch,
            "loss": {"type": "mmpretrain.PixelReconstructionLoss", "criterion": "L2"},
        },
    }


def _dataset(data: ClassificationData, split: Split) -> dict[str, Any]:
    shorter = {"scale": data.resize or data.size, "edge": "short", "interpolation": data.interpolation, **data.resizing}
    fixed = [
        {"type": "ReadImage"},
        {"type": "mmpretrain.ResizeEdge", **shorter},
        {"type": "mmpretrain.CenterCrop", "crop_size": data.size},
    ]
    return {
        "type": "Pictures",
        "data_root": DATA,
        "options": data.model_dump(
            mode="json", exclude={"root", "clutter", "extent"}
        ),  # which the files know, and classification's reader not
        "split": split,
        "pipeline": [
            {"type": "Remember", "transforms": fixed},
            {"type": "mmpretrain.PackInputs", "meta_keys": ["sample_idx", "img_path", "box"]},
        ],
        "test_mode": split != "train",
    }
