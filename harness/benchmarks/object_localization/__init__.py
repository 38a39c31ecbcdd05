"""Object localization: boxes from where a classifier looked, trained with image labels only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import benchmarks
from harness.benchmarks import backbones, config, scenes
from harness.benchmarks.base import DATA, Family, Metric, Problem, Sample
from harness.benchmarks.object_localization.options import (
    CocoData,
    CubData,
    LocalizationData,
    LocalizationModel,
    SyntheticData,
    VocDevkitData,
    VocXmlData,
    WsolData,
)

if TYPE_CHECKING:
    from harness.catalog import Benchmark, Filling


class ObjectLocalization(Family):
    """Weakly supervised localization with mmpretrain's ``ImageClassifier``; MaxBoxAccV2, CorLoc and their kin."""

    name = "object-localization"
    slots = ("pooling", "block")
    primary = "maxboxaccv2"
    data_options: ClassVar = {
        "synthetic": SyntheticData,
        "voc-xml": VocXmlData,
        "voc": VocDevkitData,
        "wsol": WsolData,
        "cub": CubData,
        "coco": CocoData,
    }
    model_options = LocalizationModel

    def metrics(self, bench: Benchmark) -> list[Metric]:
        titles = {
            "maxboxaccv2": "MaxBoxAccV2",
            "maxboxaccv2@0.3": "MaxBoxAccV2 at IoU 0.3",
            "maxboxaccv2@0.5": "MaxBoxAccV2 at IoU 0.5",
            "maxboxaccv2@0.7": "MaxBoxAccV2 at IoU 0.7",
            "maxboxacc": "MaxBoxAcc",
            "top1_loc": "Top-1 localization",
            "corloc": "CorLoc",
            "top1": "Top-1 accuracy",
        }
        return [Metric(name, "%", True, title) for name, title in titles.items()]

    def config(self, bench: Benchmark, fillings: dict[str, Filling], seed: int) -> dict[str, Any]:
        data, model, schedule = benchmarks.options(bench)
        side = (data.size, data.size)
        test_batch = 1 if data.full_resolution else schedule.batch_size
        return {
            "default_scope": "mmpretrain",
            "model": config.attend(_model(data, model, fillings), model, fillings, side),
            "train_dataloader": config.loader(_dataset(data, train=True), schedule.batch_size, train=True, collate="pseudo_collate"),
            "test_dataloader": config.loader(_dataset(data, train=False), test_batch, train=False, collate="pseudo_collate"),
            "test_evaluator": {"type": "BoxMetric", "taus": model.taus},
            **config.training(schedule),
        }

    def generate(self, bench: Benchmark, out: Path) -> None:
        data = benchmarks.options(bench)[0]
        scenes.generate_scenes(out, train=data.train, test=data.test, size=data.size, classes=data.classes, seed=data.seed, cue=data.cue)

    def check(self, bench: Benchmark, root: Path) -> list[Problem]:
        from harness.benchmarks.object_localization.check import problems

        return problems(root, benchmarks.options(bench)[0])

    def floor(self, bench: Benchmark, root: Path) -> dict[str, float]:
        """A centre box of 0.8 of the image's sides, and the commonest training class."""
        from harness.benchmarks.object_localization.floor import centre_box

        return centre_box(root, benchmarks.options(bench)[0])

    def samples(self, bench: Benchmark, root: Path, count: int) -> list[Sample]:
        from harness.benchmarks.object_localization.pictures import boxed_samples

        return boxed_samples(root, benchmarks.options(bench)[0], count)


def _model(data: LocalizationData, model: LocalizationModel, fillings: dict[str, Filling]) -> dict[str, Any]:
    host = backbones.describe(model)
    head: dict[str, Any] = {"in_channels": host["channels"], "num_classes": data.outputs}
    if data.multi_label:
        head |= {"type": "mmpretrain.MultiLabelLinearClsHead"}
    else:
        head |= {"type": "mmpretrain.LinearClsHead", "loss": {"type": "mmpretrain.CrossEntropyLoss"}}
    return {
        "type": "LocalizingClassifier",
        "box": model.box,
        "attention_head": model.head,
        "lost_features": model.lost_features,
        "lost_patches": model.lost_patches,
        "parity": model.parity,
        "data_preprocessor": {
            "type": "mmpretrain.ClsDataPreprocessor",
            "mean": config.IMAGENET_MEAN,
            "std": config.IMAGENET_STD,
            "to_rgb": True,
            "pad_size_divisor": data.pad_to if data.full_resolution else 1,
        },
        "backbone": host["config"],
        "neck": config.pooling_neck(fillings, host["channels"]),
        "head": head,
    }


def _dataset(data: LocalizationData, *, train: bool) -> dict[str, Any]:
    # boxes refer to the pixels as stored, not to an orientation a camera noted beside them
    pipeline: list[dict[str, Any]] = [{"type": "mmpretrain.LoadImageFromFile", "color_type": "color_ignore_orientation"}]
    if train:
        enlarged = data.size * 8 // 7 if data.augment == "crop-flip" else data.size
        pipeline += [{"type": "CropPart"}, {"type": "Resize", "scale": [enlarged, enlarged]}]
        if data.augment == "crop-flip":
            pipeline.append({"type": "mmpretrain.RandomCrop", "crop_size": data.size})
            pipeline.append({"type": "mmpretrain.RandomFlip", "prob": 0.5, "direction": "horizontal"})
        pipeline.append({"type": "mmpretrain.PackInputs"})
    else:
        if not data.full_resolution:
            pipeline.append({"type": "Resize", "scale": [data.size, data.size]})
        pipeline.append({"type": "mmpretrain.PackInputs", "algorithm_keys": ["boxes", "calibration"]})
    return {
        "type": "LocalizationDataset",
        "options": data.model_dump(mode="json", exclude={"root"}),
        "train": train,
        "data_root": DATA,
        "pipeline": pipeline,
        "test_mode": not train,
    }


FAMILY = ObjectLocalization()
