"""The mmengine config of a trial on frozen features: one of classification, scored by protocols."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config
from harness.benchmarks.classification import config as classification
from harness.benchmarks.classification.options import ClassificationData, ClassificationModel
from harness.benchmarks.frozen_features.options import FrozenModel
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Filling


def compose(data: ClassificationData, model: FrozenModel, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial.

    Validation and test hand out the training samples, too: what a protocol knows the classes of. The validation is looked at once,
    at the end.
    """
    composed = classification.compose(data, ClassificationModel.model_validate(model.model_dump()), schedule, fillings)
    composed["model"]["model"]["type"] = "PooledClassifier"
    for split in ("val", "test"):
        composed[f"{split}_dataloader"]["dataset"]["type"] = "WithBank"
    composed |= config.evaluators({"type": "Protocols"})
    composed["train_cfg"] = config.epochs(schedule.epochs, validations=1)
    return composed
