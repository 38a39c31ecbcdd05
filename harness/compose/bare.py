"""A trial's config with its places filled in: as a file of its own, anyone can run it."""

from __future__ import annotations

import copy
from pathlib import Path
from pprint import pformat
from typing import Any

from harness.benchmarks.base import DATA
from harness.compose.trial import Trial


def _placed(value: Any, places: dict[str, str]) -> Any:
    """``value`` with the stand-ins of folders and files replaced by where these lie."""
    if isinstance(value, str):
        head, slash, rest = value.partition("/")
        return places.get(value) or (places[head] + slash + rest if head in places else value)
    if isinstance(value, dict):
        return {key: _placed(item, places) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_placed(item, places) for item in value)
    return value


def bare_config(trial: Trial, data: Path, work_dir: Path) -> dict[str, Any]:
    """The mmengine config of a trial as anyone could run it: paths filled in, nothing of the harness's engine."""
    config: dict[str, Any] = _placed(copy.deepcopy(trial.config), {DATA: str(data), **trial.files})
    config.update(
        work_dir=str(work_dir),
        randomness={"seed": trial.seed},
        default_hooks={**config.get("default_hooks", {}), "checkpoint": None, "logger": {"type": "LoggerHook", "interval": 20}},
        log_level="INFO",
    )
    # for what plugins mark, which nobody knows before they are built; of no effect elsewhere, hence not in every trial's digest
    if "optim_wrapper" in config:
        config["optim_wrapper"].setdefault("constructor", "MarkedParameters")
    return config


REGISTER = "harness.register"
"""The module that a config of OpenMMLab imports to name what is ours."""


def alone(trial: Trial, data: Path, work_dir: Path, *, validates: bool = True) -> dict[str, Any]:
    """The config with what the engine does around a trial as a hook, so that mmengine's own Runner yields the trial's numbers.

    Args:
        validates: whether the dataset has a validation split.
    """
    config = bare_config(trial, data, work_dir)
    imports = [REGISTER, *config.get("custom_imports", {}).get("imports", [])]
    config["custom_imports"] = {"imports": imports, "allow_failed_imports": False}
    config["custom_hooks"] = [
        *config.get("custom_hooks", []),
        {"type": "AsInTrial", "seed": trial.seed, "reorder": config.get("channels_last", True)},
    ]
    config["default_hooks"]["checkpoint"] = {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 1}
    if not validates:
        for name in ("val_dataloader", "val_cfg", "val_evaluator"):
            config.pop(name, None)
    return config


def text(config: dict[str, Any], about: str) -> str:
    """A config as the text of a Python file.

    Args:
        about: lines that stand above it as comments.
    """
    comments = "".join(f"# {line}\n" for line in about.splitlines())
    return comments + "\n" + "".join(f"{name} = {pformat(value, width=120, sort_dicts=False)}\n" for name, value in config.items())
