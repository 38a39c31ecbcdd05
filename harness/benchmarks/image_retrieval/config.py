"""The mmengine config of a trial of image retrieval: one of classification, tested by what its vectors find."""

from __future__ import annotations

from typing import Any

from harness.benchmarks import config
from harness.benchmarks.base import SPLITS
from harness.benchmarks.classification import config as classification
from harness.benchmarks.classification.options import ClassificationModel
from harness.benchmarks.image_retrieval.options import RetrievalData, RetrievalModel
from harness.benchmarks.options import ScheduleOptions
from harness.catalog import Filling


def compose(data: RetrievalData, model: RetrievalModel, schedule: ScheduleOptions, fillings: dict[str, Filling]) -> dict[str, Any]:
    """Model, loaders, evaluator and schedule of one trial.

    Queries and the database come one by one, as their proportions differ. The validation is looked at once, at the end.
    """
    plain = ClassificationModel.model_validate(model.model_dump(exclude={"scales", "whiten"}))
    composed = classification.compose(data, plain, schedule, fillings)
    composed["model"]["model"] |= {"type": "Describer", "scales": model.scales}
    longer = {"scale": data.longest or data.size, "edge": "long", "interpolation": data.interpolation, **data.resizing}
    shown = [{"type": "ReadImage"}, {"type": "CutToBox"}, {"type": "Shrink", **longer}]
    for split in SPLITS:
        loader = composed[f"{split}_dataloader"]
        loader["dataset"]["type"] = "SearchedDataset"
        if split != "train":
            loader["batch_size"] = 1
            loader["dataset"]["pipeline"][0] = {"type": "Remember", "transforms": shown}
            loader["dataset"]["bank"] = bool(model.whiten)
    composed |= config.evaluators({"type": "Ranking", "whiten": model.whiten})
    composed["custom_hooks"] = [{"type": "RankingPictures"}]
    composed["train_cfg"] = config.epochs(schedule.epochs, validations=1)
    return composed
