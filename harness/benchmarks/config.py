"""Parts of a trial's mmengine config that all families share, as plain dictionaries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from math import ceil
from typing import Any, cast

from harness.benchmarks.backbones import block_places
from harness.benchmarks.base import SPLITS, Split
from harness.benchmarks.options import BlockPlace, ModelOptions, ScheduleOptions
from harness.catalog import Filling
from harness.errors import UsageError
from harness.slots import SLOTS

VALIDATIONS = 10
"""How many times a trial looks at its validation split, at most."""


def preprocessing(model: ModelOptions) -> dict[str, Any]:
    """What all data preprocessors of OpenMMLab call the same: ``mean`` and ``std`` of the input."""
    return {"mean": list(model.mean), "std": list(model.std)}


def training(schedule: ScheduleOptions, validations: int = VALIDATIONS) -> dict[str, Any]:
    """Optimiser, learning-rate schedule and loops: at most so many evenly spaced validations, the last at the end, then one test."""
    optimizer: dict[str, Any] = {"type": schedule.optimizer, "lr": schedule.lr, "weight_decay": schedule.weight_decay}
    if schedule.optimizer == "SGD":
        optimizer["momentum"] = 0.9
    if schedule.nesterov:
        optimizer["nesterov"] = True
    wrapper: dict[str, Any] = {"type": "OptimWrapper", "optimizer": optimizer}
    if apart := _apart(schedule):
        wrapper["paramwise_cfg"] = apart
    if schedule.clip:
        wrapper["clip_grad"] = {"max_norm": schedule.clip}
    if schedule.accumulate > 1:
        wrapper["accumulative_counts"] = schedule.accumulate
    if schedule.precision == "bf16":
        wrapper["type"] = "Autocast"
    elif schedule.precision == "fp16":
        wrapper |= {"type": "AmpOptimWrapper", "dtype": "float16"}
    return {
        "optim_wrapper": wrapper,
        "param_scheduler": _schedulers(schedule),
        "train_cfg": epochs(schedule.epochs, validations),
        "val_cfg": {},
        "test_cfg": {},
    }


def _apart(schedule: ScheduleOptions) -> dict[str, Any]:
    """What is not trained as the rest, in mmengine's words."""
    keys = {part: {"lr_mult": multiples.lr, "decay_mult": multiples.decay} for part, multiples in schedule.parameters.items()}
    return ({} if schedule.decay_flat else {"flat_decay_mult": 0.0}) | ({"custom_keys": keys} if keys else {})


def computing(config: dict[str, Any], schedule: ScheduleOptions) -> None:
    """Add to a trial's config how its steps are computed, as far as ``schedule`` does not leave that as it was ever."""
    if schedule.precision != "fp32":
        config["precision"] = schedule.precision
    if schedule.compile:
        config["compile"] = True
    if schedule.channels_last is not None:
        config["channels_last"] = schedule.channels_last
    if schedule.ema:
        config["custom_hooks"] = [*config.get("custom_hooks", ()), {"type": "EMAHook", "momentum": schedule.ema, "update_buffers": True}]


def epochs(count: int, validations: int = VALIDATIONS) -> dict[str, Any]:
    """The training loop over so many epochs."""
    return {"by_epoch": True, "max_epochs": count, "val_interval": ceil(count / validations)}


def _schedulers(schedule: ScheduleOptions) -> list[dict[str, Any]]:
    warm = schedule.warmup * schedule.epochs
    schedulers: list[dict[str, Any]] = []
    if schedule.warmup_iterations:
        warming = {"type": "LinearLR", "start_factor": schedule.warmup_from, "by_epoch": False, "begin": 0}
        schedulers.append({**warming, "end": schedule.warmup_iterations})
    if warm:
        # convert_to_iter_based needs whole epochs, so a warm-up is rounded to one or more
        warm = min(max(1, round(warm)), schedule.epochs)
        schedulers.append(
            {
                "type": "LinearLR",
                "start_factor": schedule.warmup_from,
                "by_epoch": True,
                "begin": 0,
                "end": warm,
                "convert_to_iter_based": True,
            }
        )
    if schedule.decay == "cosine" and schedule.epochs > warm:
        schedulers.append(
            {
                "type": "CosineAnnealingLR",
                "T_max": schedule.epochs - warm,
                "eta_min": schedule.lr * 0.01 if schedule.lr_end is None else schedule.lr_end,
                "by_epoch": True,
                "begin": warm,
                "end": schedule.epochs,
                "convert_to_iter_based": True,
            }
        )
    elif schedule.decay == "step" and schedule.milestones:
        schedulers.append({"type": "MultiStepLR", "milestones": schedule.milestones, "gamma": schedule.factor, "by_epoch": True})
    elif schedule.decay == "step":
        schedulers.append({"type": "StepLR", "step_size": schedule.step, "gamma": schedule.factor, "by_epoch": True})
    return schedulers


def loader(dataset: dict[str, Any], batch_size: int, *, train: bool, collate: str | None = None) -> dict[str, Any]:
    """A dataloader in the trial's own process: forked trials already use every core."""
    config: dict[str, Any] = {
        "batch_size": batch_size,
        "num_workers": 0,
        "dataset": dataset,
        "sampler": {"type": "DefaultSampler", "shuffle": train},
    }
    if train:
        config["batch_sampler"] = {"type": "TrainingBatches"}
    if collate:
        config["collate_fn"] = {"type": collate}
    return config


def loaders(
    dataset: Callable[[Split], dict[str, Any]], batch_size: int, *, test_batch: int | None = None, collate: str | None = None
) -> dict[str, Any]:
    """The dataloaders of all splits.

    Args:
        dataset: the config of a split's dataset.
        test_batch: batch size of validation and test, that of the training by default.
    """
    return {
        f"{split}_dataloader": loader(
            dataset(split), batch_size if split == "train" else test_batch or batch_size, train=split == "train", collate=collate
        )
        for split in SPLITS
    }


def evaluators(evaluator: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any]:
    """The validation is scored as the test is."""
    return {"val_evaluator": deepcopy(evaluator), "test_evaluator": evaluator}


_DRAWN = re.compile(r"Rand|Augment|Distort|Jitter|Mosaic|Mix|Erasing|Dropout|Lighting|Albu|Noise")
"""In the names of transforms that make another image each time."""


def refuse_drawn_images(config: dict[str, Any]) -> None:
    """Of a trial with a frozen backbone: do nothing where an image is the same in every epoch.

    Raises:
        UsageError: training images are augmented, so that features kept would never be read again.
    """
    drawn = [name.rpartition(".")[2] for name in _types(config.get("train_dataloader", {})) if _DRAWN.search(name)]
    if config["model"].get("frozen") and drawn:
        raise UsageError(
            f"model.frozen: the features of a frozen backbone are computed once per image, but {', '.join(drawn)} makes another image "
            "of it in every epoch. Switch the benchmark's augmentation off (augment, flip, scale, crop, photometric, finetune), "
            "or set model.frozen=false."
        )


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        value = value.values()
    if not isinstance(value, str) and isinstance(value, Iterable):
        for item in value:
            yield from _types(item)


def attend(model: dict[str, Any], options: ModelOptions, fillings: dict[str, Filling], input_size: tuple[int, int]) -> dict[str, Any]:
    """Wrap an OpenMMLab model config: weights are loaded, the ``block`` slot is filled, a frozen backbone is cached.

    ``Attend`` is a build function, not a module: what it returns is the OpenMMLab model itself.

    Args:
        input_size: (H, W) of the images the model sees, to find the widths of the places blocks go to.
    """
    block = fillings.get("block")
    places = []
    if block is not None:
        chosen = options.block_at or ([BlockPlace(path="backbone")] if options.frozen else block_places(options))
        places = [{**place.model_dump(), "plugin": block.plugin, "params": block.params} for place in chosen]
    return {
        "type": "Attend",
        "model": model,
        "blocks": places,
        "weights": options.weights.model_dump(exclude_none=True) if options.weights else None,
        "frozen": options.frozen,
        "input_size": list(input_size),
    }


_IN_ENCODER = {"encoder_attention": "attention", "position_encoding": "position", "attention_loss": "loss"}


def in_encoder(fillings: dict[str, Filling], layers: str | None) -> dict[str, Any]:
    """What ``Attend`` puts into a transformer's encoder: its argument ``encoder``, or nothing where no slot of an encoder is filled.

    Args:
        layers: path of the list of its layers; without one no slot of it is offered.
    """
    filled = {part: fillings[slot] for slot, part in _IN_ENCODER.items() if slot in fillings}
    if not filled:
        return {}
    if "position" in filled and "attention" not in filled:  # named here, so that it is imported and its code is in the digest
        filled["attention"] = Filling(plugin=cast(str, SLOTS["encoder_attention"].baseline))
    parts = {part: {"plugin": filling.plugin, "params": filling.params} for part, filling in filled.items()}
    return {"encoder": {"layers": layers, **parts}}


def pooling_neck(fillings: dict[str, Filling], channels: int) -> dict[str, Any]:
    """The neck that pools the last feature map: the method's plugin, or global average pooling.

    A plugin of the ``block`` slot may stand here: block, then average.
    """
    filling = fillings.get("pooling")
    plugin, params = (filling.plugin, filling.params) if filling else ("gap", {})
    return {"type": "PluginPooling", "plugin": plugin, "params": params, "channels": channels}
