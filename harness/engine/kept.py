"""What a trial learned, kept beside the database: the weights that were tested, and what they predicted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.benchmarks.predictions import FOLDER, Predictions
from harness.compose import Trial
from harness.engine.ranks import bare
from harness.errors import UsageError

FILE = "weights.safetensors"
"""Among a trial's artifacts."""

_ABOUT = "attention-harness"

_LAST_SEED = 999
"""Of a final trial, see `harness run --seeds`."""


class _About(BaseModel):
    """What stands in the head of a file."""

    model_config = ConfigDict(strict=True)

    trial: str
    method: str
    benchmark: str
    version: int
    family: str
    seed: int = Field(ge=0, le=_LAST_SEED)
    overrides: list[str]
    config_file: str | None = None
    metrics: dict[str, float | None]
    classes: list[str] = []
    """In the order in which the network counts them, where the dataset says."""


class Keep(Hook):
    """Keeps the weights that a test begins with, and the predictions it makes.

    Args:
        folder: the trial's artifacts.
    """

    priority = "VERY_LOW"  # behind hooks that test other weights than they train (EMA)

    def __init__(self, folder: Path):
        self.folder = folder
        self.weights: dict[str, Tensor] = {}
        self.predictions: Predictions | None = None

    def before_test_epoch(self, runner: Any) -> None:
        state = bare(runner.model).state_dict()
        self.weights = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
        dataset = runner.test_dataloader.dataset
        about = getattr(dataset, "metainfo", None) or {}
        ids = about.get("ids") or dict(enumerate(getattr(dataset, "cat_ids", None) or ()))  # the latter of mmdet's
        self.predictions = Predictions(self.folder / FOLDER, map(str, about.get("classes", ())), ids)

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self.predictions is not None:
            self.predictions.add(outputs or ())

    def after_test_epoch(self, runner: Any, metrics: Any = None) -> None:
        if self.predictions is not None:  # boxes that only the evaluator makes, by a threshold for all images
            self.predictions.results += [one for metric in runner.test_evaluator.metrics for one in getattr(metric, "instances", ())]

    def write(self, trial: Trial, metrics: dict[str, float]) -> None:
        """Write both; in the head of the file of weights stands whose they are.

        Raises:
            OSError: the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {
            "trial": trial.digest,
            "method": trial.method,
            "benchmark": trial.benchmark,
            "version": trial.version,
            "family": trial.family,
            "seed": trial.seed,
            "overrides": list(trial.overrides),
            "config_file": trial.config_file,
            "metrics": metrics,
            "classes": [*self.predictions.classes] if self.predictions else [],
        }
        partial = self.folder / f".{FILE}"
        save_file(self.weights, partial, metadata={_ABOUT: json.dumps(about)})
        partial.replace(self.folder / FILE)
        if self.predictions is not None:
            self.predictions.write()


def about(file: Path) -> dict[str, Any]:
    """Whose weights a file holds: ``trial``, ``method``, ``benchmark``, ``seed``, ``overrides``, ``metrics``.

    Raises:
        UsageError: it is no file of kept weights.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            told = (opened.metadata() or {}).get(_ABOUT)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{file} cannot be read as safetensors: {error}.") from None
    try:
        return _About.model_validate(json.loads(told or "")).model_dump()
    except (ValueError, RecursionError):
        raise UsageError(f"{file} does not say whose weights it holds. `harness run --keep-weights` writes files that do.") from None


def weights(file: Path) -> dict[str, Tensor]:
    """Name -> tensor.

    Raises:
        UsageError: it is no file of kept weights.
    """
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{file} cannot be read as safetensors: {error}.") from None
