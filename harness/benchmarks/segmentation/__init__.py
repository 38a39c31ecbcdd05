"""Semantic segmentation on mmseg: a class for every pixel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import benchmarks
from harness.benchmarks import config as shared
from harness.benchmarks.base import Family, Metric, Problem, Sample
from harness.benchmarks.segmentation import template
from harness.benchmarks.segmentation.options import (
    FolderData,
    SegmentationModel,
    SegmentationSchedule,
    SyntheticData,
    ToolboxData,
)

if TYPE_CHECKING:
    from harness.catalog import Benchmark, Filling


class Segmentation(Family):
    """``mmseg.EncoderDecoder`` with a context head, scored by IoU over the whole test set."""

    name = "segmentation"
    slots = ("context",)
    primary = "mIoU"
    data_options = {"synthetic": SyntheticData, "mmseg-folder": FolderData, "mmseg": ToolboxData}
    model_options = SegmentationModel
    schedule_options = SegmentationSchedule

    def slots_of(self, bench: Benchmark) -> tuple[str, ...]:
        """``context``; with ``model.block_at`` blocks go into the backbone, there, and not into the head."""
        model = benchmarks.options(bench)[1]
        return ("block", "context") if model.block_at else ("context",)

    def metrics(self, bench: Benchmark) -> list[Metric]:
        return [
            Metric("mIoU", "%", True, "Mean intersection over union"),
            Metric("mAcc", "%", True, "Mean accuracy of the classes"),
            Metric("aAcc", "%", True, "Accuracy of all pixels"),
            Metric("IoU", "%", True, "Intersection over union of a class", per_scene=True),
        ]

    def config(self, bench: Benchmark, fillings: dict[str, Filling], seed: int) -> dict[str, Any]:
        data, model, schedule = benchmarks.options(bench)
        train, test = template.datasets(data, model.input)
        size = model.input.crop or model.input.size or ((data.size, data.size) if isinstance(data, SyntheticData) else (512, 512))
        # images of different sizes cannot stand in one batch
        together = (model.input.size is not None and not model.input.keep_ratio) or isinstance(data, SyntheticData)
        segmentor = template.segmentor(model, fillings, _class_count(data), data.ignore_index)
        config = {
            "default_scope": "mmseg",
            "model": shared.attend(segmentor, model, fillings, size),
            "train_dataloader": shared.loader(train, schedule.batch_size, train=True),
            "test_dataloader": shared.loader(test, schedule.batch_size if together else 1, train=False),
            "test_evaluator": {"type": "SegmentationScores", "ignore_index": data.ignore_index},
            **shared.training(schedule),
        }
        if schedule.decay == "poly":
            config["param_scheduler"].append({"type": "PolyLR", "power": 0.9, "eta_min": 1e-4 * schedule.lr, "by_epoch": True,
                                              "begin": 0, "end": schedule.epochs, "convert_to_iter_based": True})  # fmt: skip
        return config

    def generate(self, bench: Benchmark, out: Path) -> None:
        from harness.benchmarks.segmentation.synthetic import generate

        generate(benchmarks.options(bench)[0], out)

    def check(self, bench: Benchmark, root: Path) -> list[Problem]:
        from harness.benchmarks.segmentation.check import problems

        return problems(benchmarks.options(bench)[0], root)

    def floor(self, bench: Benchmark, root: Path) -> dict[str, float]:
        """Scores of the majority class of the training pixels."""
        from harness.benchmarks.segmentation.floor import majority_class

        data = benchmarks.options(bench)[0]
        return majority_class(data, root, _class_names(data, root))

    def samples(self, bench: Benchmark, root: Path, count: int) -> list[Sample]:
        from harness.benchmarks.segmentation.pictures import samples

        data = benchmarks.options(bench)[0]
        return samples(data, root, _class_names(data, root), count)


def _class_count(data: SyntheticData | FolderData | ToolboxData) -> int:
    return data.num_classes if isinstance(data, ToolboxData) else len(data.classes)


def _class_names(data: SyntheticData | FolderData | ToolboxData, root: Path) -> list[str]:
    if not isinstance(data, ToolboxData):
        return list(data.classes)
    from harness.benchmarks.segmentation.toolbox import build

    return list(build(data, root, "test").metainfo["classes"])


FAMILY = Segmentation()
