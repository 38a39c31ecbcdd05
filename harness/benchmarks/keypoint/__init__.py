"""Keypoints: the joints of one figure per image or box, by mmpose's top-down heatmap estimator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import benchmarks
from harness.benchmarks import backbones, config
from harness.benchmarks.base import DATA, Family, Metric, Problem, Sample
from harness.benchmarks.keypoint import floor, mmpose_files, pictures, source
from harness.benchmarks.keypoint.figures import generate_figures
from harness.benchmarks.keypoint.options import CocoData, DeepLabCutData, KeypointData, KeypointModel, MMPoseData, SyntheticData
from harness.benchmarks.keypoint.scores import PCK
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.catalog import Benchmark, Filling

_BOX_PADDING = 1.25
"""Annotated boxes are enlarged by this factor before they are cut out (mmpose's default)."""


class Keypoint(Family):
    """Points of an articulated figure; PCK, median error and, where fall-offs are known, COCO's AP."""

    name = "keypoint"
    slots = ("block",)
    primary = PCK
    data_options: ClassVar = {"synthetic": SyntheticData, "coco": CocoData, "deeplabcut": DeepLabCutData, "mmpose": MMPoseData}
    model_options = KeypointModel

    def metrics(self, bench: Benchmark) -> list[Metric]:
        found = [
            Metric(PCK, "%", True, "Points within 5 % of the box's longer side", per_scene=True),
            Metric("median_px", "px", False, "Median error in pixels of the original image"),
        ]
        if _data(bench).has_ap:
            found += [Metric("AP", "%", True, "COCO average precision (OKS 0.50 to 0.95)"), Metric("AP50", "%", True, "AP at OKS 0.50")]
        return found

    def config(self, bench: Benchmark, fillings: dict[str, Filling], seed: int) -> dict[str, Any]:
        data, model, schedule = benchmarks.options(bench)
        codec = _codec(data, model)
        train, test = (
            config.loader(_dataset(data, codec, train=train), schedule.batch_size, train=train, collate="pseudo_collate")
            for train in (True, False)
        )
        evaluators = [{"type": "KeypointAccuracy"}, *([{"type": "KeypointAP"}] if data.has_ap else [])]
        return {
            "default_scope": "mmpose",
            "model": config.attend(_model(data, model, codec), model, fillings, data.size[::-1]),
            "train_dataloader": train,
            "test_dataloader": test,
            "test_evaluator": evaluators,
            **config.training(schedule),
        }

    def generate(self, bench: Benchmark, out: Path) -> None:
        data = _data(bench)
        generate_figures(out, train=data.train, test=data.test, size=data.size, seed=data.seed, mirrored=data.mirrored)

    def check(self, bench: Benchmark, root: Path) -> list[Problem]:
        return source.check(root, _data(bench))

    def floor(self, bench: Benchmark, root: Path) -> dict[str, float]:
        """The mean pose of the training data, placed in every box."""
        reading = source.read(root, _data(bench))
        return floor.floor(reading.poses(train=True), reading.poses(train=False), reading.sigmas)

    def samples(self, bench: Benchmark, root: Path, count: int) -> list[Sample]:
        poses = source.read(root, _data(bench)).poses(train=False)
        return [pictures.draw(root, pose) for pose in poses[:count]]


def _data(bench: Benchmark) -> KeypointData:
    return benchmarks.options(bench)[0]


def _codec(data: KeypointData, model: KeypointModel) -> dict[str, Any]:
    """Gaussian heatmaps with unbiased decoding (Zhang et al., CVPR 2020), at the resolution the head ends with."""
    stride = backbones.describe(model)["stride"] / 2 ** len(model.deconv)
    if any(side % stride for side in data.size):
        raise UsageError(f"data.size: {data.size[0]}x{data.size[1]} is no multiple of {stride:g}, the stride of the model's heatmaps.")
    return {
        "type": "mmpose.MSRAHeatmap",
        "input_size": list(data.size),
        "heatmap_size": [int(side / stride) for side in data.size],
        "sigma": model.sigma,
        "unbiased": True,
    }


def _model(data: KeypointData, model: KeypointModel, codec: dict[str, Any]) -> dict[str, Any]:
    host = backbones.describe(model)
    return {
        "type": "mmpose.TopdownPoseEstimator",
        "data_preprocessor": {
            "type": "mmpose.PoseDataPreprocessor",
            "mean": config.IMAGENET_MEAN,
            "std": config.IMAGENET_STD,
            "bgr_to_rgb": True,
        },
        "backbone": host["config"],
        "head": {
            "type": "mmpose.HeatmapHead",
            "in_channels": host["channels"],
            "out_channels": data.count,
            "deconv_out_channels": model.deconv,
            "deconv_kernel_sizes": [4] * len(model.deconv),
            "conv_out_channels": model.conv,
            "conv_kernel_sizes": [3] * len(model.conv),
            "loss": {"type": "mmpose.KeypointMSELoss", "use_target_weight": True},
            "decoder": codec,
        },
        # the training accuracy costs more than a small model's step
        "train_cfg": {"compute_acc": False},
        "test_cfg": {"flip_test": False},
    }


def _dataset(data: KeypointData, codec: dict[str, Any], *, train: bool) -> dict[str, Any]:
    fixed = [
        {"type": "mmpose.LoadImage"},
        {"type": "mmpose.GetBBoxCenterScale", "padding": 1.0 if data.whole_image else _BOX_PADDING},
    ]
    affine = {"type": "mmpose.TopdownAffine", "input_size": list(data.size)}
    target = {"type": "mmpose.GenerateTarget", "encoder": codec}
    pack = {"type": "mmpose.PackPoseInputs"}
    if train and data.augment == "affine":
        turn = {"type": "mmpose.RandomBBoxTransform", "shift_factor": 0.1, "scale_factor": [0.8, 1.2], "rotate_factor": 30}
        pipeline = [{"type": "Remember", "transforms": fixed}, turn, affine, target, pack]
    else:
        pipeline = [{"type": "Remember", "transforms": [*fixed, affine, *([target] if train else [])]}, pack]
    if isinstance(data, MMPoseData):
        return mmpose_files.dataset(data, data.train if train else data.test, pipeline, train=train)
    return {
        "type": "KeypointDataset",
        "data_root": DATA,
        "options": data.model_dump(mode="json"),
        "split": "train" if train else "test",
        "pipeline": pipeline,
        "test_mode": not train,
    }


FAMILY = Keypoint()
