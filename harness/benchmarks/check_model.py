"""Whether a benchmark's weights can be loaded and its batches be trained on, found out before any trial."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks import weights
from harness.benchmarks.base import Problem
from harness.benchmarks.fetching import fetch
from harness.benchmarks.options import ModelOptions, NoSchedule
from harness.benchmarks.task import Task
from harness.errors import UsageError

_ROUNDING = 0.5
"""Of pixels from 0 to 255, by which two means may differ."""


def check_model(task: Task, training: int) -> list[Problem]:
    """What is wrong with the weights of a benchmark's model (no file, or none of its backbone) and with the size of its batches.

    Where the file is there, the backbone is built and loaded as in a trial, which needs the OpenMMLab stack.

    Args:
        training: number of training samples.

    Raises:
        UsageError: the model's options exclude each other, or its config names a type that no registry has.
    """
    return [*_weights(task), *_batches(task, training)]


def _batches(task: Task, training: int) -> list[Problem]:
    """Batches of one image (a last one beside others is left out) cannot be normalized behind a global pooling."""
    if isinstance(task.schedule, NoSchedule) or 1 not in (task.schedule.batch_size, training):
        return []
    where, mend = ("schedule.batch_size", "write 2 or more") if training != 1 else ("train split", "give at least 2 training images")
    what = "every batch is a single image, on which methods that normalize behind a global pooling cannot be trained"
    return [Problem(where, what, mend, fatal=False)]


def _weights(task: Task) -> list[Problem]:
    if task.model.weights is None or task.model.weights.learned:
        return []
    try:
        fetch(task.model.weights)
        file = weights.find(task.model.weights)
        return [*_normalisation(task, file), *_load(task)]
    except UsageError as error:
        where, _, what = str(error).partition(": ")
        return [Problem(where, what) if where.startswith("model.") else Problem("model.weights", str(error))]


def _normalisation(task: Task, file: Path) -> list[Problem]:
    """Whether the entry's mean and standard deviation are another network's, as far as a file beside the weights says."""
    if not isinstance(task.model, ModelOptions):
        return []
    said = weights.trained_with(file)
    if said is None:
        return _unsaid(task, file)
    mine = task.model.mean, task.model.std
    if all(abs(one - other) <= _ROUNDING for ours, theirs in zip(mine, said, strict=True) for one, other in zip(ours, theirs, strict=True)):
        return []
    mean, std = (f"[{', '.join(f'{value:.6g}' for value in values)}]" for values in said)
    what = "the config.json beside the weights says that they were trained with another mean and std"
    return [Problem("model.mean", what, f"write model.mean: {mean} and model.std: {std}", fatal=False)]


def _unsaid(task: Task, file: Path) -> list[Problem]:
    """A network of timm on Hugging Face of which the weights alone were fetched, while the entry says neither mean nor std."""
    name = (getattr(task.model.weights, "huggingface", None) or "").partition(":")[0]
    if not name.startswith(weights.TIMM) or (file.parent / weights.CONFIG).is_file() or {"mean", "std"} & task.entry.model.keys():
        return []
    what = f"no {weights.CONFIG} beside the weights says with which mean and std they were trained; ImageNet's are taken"
    mend = f"fetch it with `hf download {name} {weights.CONFIG}`, or write model.mean and model.std: many of timm's have 127.5"
    return [Problem("model.mean", what, mend, fatal=False)]


def _load(task: Task) -> list[Problem]:
    from harness import openmmlab
    from harness.benchmarks import register

    register.setup()
    from mmengine.registry import MODELS, DefaultScope

    from harness.benchmarks.parts.weights import load_backbone

    config = task.config({})
    if "custom_imports" in config:  # its network may be of a package that is imported in the trial's process only
        return []
    told: list[Problem] = []

    def tell(what: str, mend: str) -> None:
        told.append(Problem("model.weights", what, mend, fatal=False))

    with openmmlab.explained(), DefaultScope.overwrite_default_scope(config["default_scope"]):
        load_backbone(MODELS.build(config["model"]["model"]["backbone"]), config["model"]["weights"], tell)
    return told
