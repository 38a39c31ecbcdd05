"""Classification: one label per image, by mmpretrain's ``ImageClassifier``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import benchmarks
from harness.benchmarks import backbones, config, images, scenes
from harness.benchmarks.base import DATA, Family, Metric, Problem, Sample
from harness.benchmarks.classification import digits
from harness.benchmarks.classification.folders import check_folders, read_split
from harness.benchmarks.classification.options import ClassificationData, DigitsData, ImageFolderData, SyntheticData

if TYPE_CHECKING:
    from harness.catalog import Benchmark, Filling

_TOP5_FROM = 6
"""Fewest classes for which five guesses are not all there is."""


class Classification(Family):
    """Image folders with one class each; top-1 and top-5 accuracy."""

    name = "classification"
    slots = ("pooling", "block")
    primary = "top1"
    data_options: ClassVar = {"synthetic": SyntheticData, "digits": DigitsData, "image-folder": ImageFolderData}

    def metrics(self, bench: Benchmark) -> list[Metric]:
        return [Metric(f"top{k}", "%", True, f"Top-{k} accuracy") for k in _topk(_data(bench))]

    def config(self, bench: Benchmark, fillings: dict[str, Filling], seed: int) -> dict[str, Any]:
        data, model, schedule = benchmarks.options(bench)
        return {
            "default_scope": "mmpretrain",
            "model": config.attend(_model(data, model, fillings), model, fillings, (data.size, data.size)),
            "train_dataloader": config.loader(_dataset(data, train=True), schedule.batch_size, train=True, collate="default_collate"),
            "test_dataloader": config.loader(_dataset(data, train=False), schedule.batch_size, train=False, collate="default_collate"),
            "test_evaluator": {"type": "TopAccuracy", "topk": _topk(data)},
            **config.training(schedule),
        }

    def generate(self, bench: Benchmark, out: Path) -> None:
        data = _data(bench)
        if isinstance(data, DigitsData):
            digits.generate(out, train=data.train)
        else:
            scenes.generate_scenes(
                out, train=data.train, test=data.test, size=data.size, classes=data.classes, seed=data.seed, cue=data.cue
            )

    def check(self, bench: Benchmark, root: Path) -> list[Problem]:
        return check_folders(root, _data(bench))

    def floor(self, bench: Benchmark, root: Path) -> dict[str, float]:
        """The most frequent training classes, guessed for every test image."""
        import numpy as np

        data = _data(bench)
        train, test = (read_split(root, split, data.splits[0], data.class_names) for split in data.splits)
        counts = np.bincount(train.labels, minlength=len(train.classes))
        ranked = np.argsort(-counts, kind="stable")
        return {f"top{k}": 100 * float(np.isin(test.labels, ranked[:k]).mean()) for k in _topk(data)}

    def samples(self, bench: Benchmark, root: Path, count: int) -> list[Sample]:
        """Test images of every class in turn, each with its class written below."""
        data = _data(bench)
        split = read_split(root, data.splits[1], data.splits[0], data.class_names)
        ranks: dict[int, int] = {}
        order = []
        for index, label in enumerate(split.labels):
            ranks[label] = ranks.get(label, -1) + 1
            order.append((ranks[label], index))
        shown = []
        for _, index in sorted(order)[:count]:
            file, name = split.files[index], split.classes[split.labels[index]]
            image = images.read_rgb(file)
            large, _ = images.enlarge(image)
            shown.append(Sample(file.relative_to(root).as_posix(), image, images.label_strip(large, name), name))
        return shown


def _data(bench: Benchmark) -> ClassificationData:
    return benchmarks.options(bench)[0]


def _topk(data: ClassificationData) -> list[int]:
    return [1, 5] if data.class_count >= _TOP5_FROM else [1]


def _model(data: ClassificationData, model: Any, fillings: dict[str, Filling]) -> dict[str, Any]:
    host = backbones.describe(model)
    return {
        "type": "mmpretrain.ImageClassifier",
        "data_preprocessor": {
            "type": "mmpretrain.ClsDataPreprocessor",
            "mean": config.IMAGENET_MEAN,
            "std": config.IMAGENET_STD,
            "to_rgb": True,
            "num_classes": data.class_count,
        },
        "backbone": host["config"],
        "neck": config.pooling_neck(fillings, host["channels"]),
        "head": {
            "type": "mmpretrain.LinearClsHead",
            "in_channels": host["channels"],
            "num_classes": data.class_count,
            "loss": {"type": "mmpretrain.CrossEntropyLoss"},
        },
    }


def _dataset(data: ClassificationData, *, train: bool) -> dict[str, Any]:
    fixed: list[dict[str, Any]] = [
        {"type": "mmpretrain.LoadImageFromFile"},
        {"type": "mmpretrain.ResizeEdge", "scale": data.resize or data.size, "edge": "short", "interpolation": data.interpolation},
    ]
    varied: list[dict[str, Any]] = []
    if train and data.augment != "none":
        varied.append({"type": "mmpretrain.RandomCrop", "crop_size": data.size, "padding": data.size // 8, "padding_mode": "reflect"})
        if data.augment == "crop-flip":
            varied.append({"type": "mmpretrain.RandomFlip", "prob": 0.5, "direction": "horizontal"})
    else:
        fixed.append({"type": "mmpretrain.CenterCrop", "crop_size": data.size})
    pipeline = [{"type": "Remember", "transforms": fixed}, *varied, {"type": "mmpretrain.PackInputs"}]
    return {
        "type": "ClassFolders",
        "data_root": DATA,
        "split": data.splits[0 if train else 1],
        "train_split": data.splits[0],
        "class_names": data.class_names,
        "pipeline": pipeline,
        "test_mode": not train,
    }


FAMILY = Classification()
