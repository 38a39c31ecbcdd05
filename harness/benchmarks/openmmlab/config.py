"""The mmengine config of a trial of somebody's config: theirs, with a method in a slot of its model."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from harness.benchmarks.config import in_encoder
from harness.benchmarks.openmmlab.known import bare
from harness.benchmarks.openmmlab.options import ConfigModel, ConfigSchedule, OpenMMLabData
from harness.benchmarks.openmmlab.scores import evaluators, metrics, names
from harness.benchmarks.options import BlockPlace
from harness.catalog import Filling
from harness.errors import UsageError


def compose(data: OpenMMLabData, model: ConfigModel, schedule: ConfigSchedule, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluators, schedule and hooks of one trial.

    Raises:
        UsageError: the config has not been looked at, or names a checkpoint that is not here.
    """
    if not data.config:
        raise UsageError(f"its config {data.code} is code, and has not been run. `harness run -b NAME` runs it.")
    if model.pretrained and not model.weights:
        raise UsageError(
            f"model.pretrained: the config starts from {model.pretrained}, which is not on this machine. Give its file with "
            "--set model.weights.file=FILE (or url= and sha256=), or start from random values with --set model.pretrained=null."
        )
    config = {**deepcopy(data.config), **deepcopy(schedule.config)}
    own = metrics(data)
    for split in ("val", "test"):
        if f"{split}_evaluator" in config:
            listed = {"test_evaluator": config[f"{split}_evaluator"]}
            config[f"{split}_evaluator"] = {"type": "OwnScores", "metrics": evaluators(listed), "names": names(own)}
    config["channels_last"] = False  # a network of anybody's may reshape its maps as if they lay as usual
    config["train_dataloader"]["batch_size"] = schedule.batch_size
    config["optim_wrapper"]["optimizer"]["lr"] = schedule.lr
    if "paramwise_cfg" in config["optim_wrapper"]:  # its keys may be those of a whole kind of networks, so that some fit nothing
        config["optim_wrapper"].setdefault("constructor", "DefaultOptimWrapperConstructor")
    host = deepcopy(model.config)
    _fill(host, fillings)
    config["model"] = {"type": "Attend", "model": host, "input_size": list(model.input_size)}
    if block := fillings.get("block"):
        chosen = model.block_at or [BlockPlace(path="backbone", branch=-1)]
        config["model"]["blocks"] = [{**place.model_dump(), "plugin": block.plugin, "params": block.params} for place in chosen]
    config["model"] |= in_encoder(fillings, model.encoder)
    if model.weights:
        config["model"]["weights"] = model.weights.model_dump(exclude_none=True)
    return config


def _fill(host: dict[str, Any], fillings: dict[str, Filling]) -> None:
    """Put a pooling in the place of the neck's, and a context method into the decode head."""
    if filling := fillings.get("pooling"):
        channels = host["head"]["in_channels"]
        host["neck"] = {"type": "PluginPooling", "plugin": filling.plugin, "params": filling.params, "channels": channels}
    if filling := fillings.get("context"):
        head = host["decode_head"]
        widths = head["in_channels"]
        levels = [*widths] if isinstance(widths, (list, tuple)) else [widths]
        assert bare(head["type"]) == "FCNHead"
        host["decode_head"] = {**head, "type": "ContextHead", "plugin": filling.plugin, "params": filling.params, "level_channels": levels}
