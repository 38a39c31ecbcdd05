"""The mmengine config of a trial of background robustness: one of classification, tested on variants."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config
from harness.benchmarks.background_robustness.options import BackgroundData, ClassificationModel
from harness.benchmarks.base import SPLITS
from harness.benchmarks.classification import config as classification
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Filling


def compose(data: BackgroundData, model: ClassificationModel, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial."""
    composed = classification.compose(data, model, schedule, fillings)
    for split in SPLITS:
        composed[f"{split}_dataloader"]["dataset"]["type"] = "VariedDataset"
    return composed | config.evaluators({"type": "Backgrounds"})
