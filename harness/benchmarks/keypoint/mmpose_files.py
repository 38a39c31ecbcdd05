"""Datasets that an mmpose class reads: what they hold, asked of the class itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.benchmarks.base import DATA, Problem
from harness.benchmarks.keypoint.options import MMPoseData, MMPoseFiles
from harness.benchmarks.keypoint.poses import Pose, Reading
from harness.errors import did_you_mean
from harness.images import measure


def dataset(data: MMPoseData, files: MMPoseFiles, pipeline: list[dict[str, Any]], *, train: bool, root: str = DATA) -> dict[str, Any]:
    """Config of the dataset class for one split."""
    config: dict[str, Any] = {
        **data.arguments,
        "type": f"mmpose.{data.type}",
        "data_root": root,
        "ann_file": files.ann_file,
        "data_prefix": {"img": files.images},
        "data_mode": "topdown",
        "pipeline": pipeline,
        "test_mode": not train,
    }
    if files.bbox_file and not train:
        config["bbox_file"] = f"{root}/{files.bbox_file}"
    return config


def read(root: Path, data: MMPoseData) -> Reading:
    """Build both splits and list what they hold.

    Raises:
        UsageError: mmpose has no dataset class of this name.
    """
    from harness import openmmlab

    openmmlab.setup()
    from mmpose.registry import DATASETS

    if data.type not in DATASETS.module_dict:
        raise did_you_mean(data.type, DATASETS.module_dict, "mmpose dataset class")
    reading = Reading()
    reading.train = _split(root, data, data.train, reading, train=True)
    # annotated boxes: detected ones carry no truth to look at
    reading.test = _split(root, data, data.test.model_copy(update={"bbox_file": None}), reading, train=False)
    return reading.finish()


def _split(root: Path, data: MMPoseData, files: MMPoseFiles, reading: Reading, *, train: bool) -> list[Pose]:
    from mmpose.registry import DATASETS

    missing = [name for name in (files.ann_file, files.images) if name and not (root / name).exists()]
    reading.problems += [Problem(name, "not found", "put it there, or correct data.train and data.test") for name in missing]
    if missing:
        return []
    try:
        built = DATASETS.build(dataset(data, files, [], train=train, root=str(root)))
    except Exception as error:  # whatever a third-party reader meets in a malformed file
        what = f"mmpose's {data.type} cannot read it ({error!r:.200})"
        reading.problems.append(Problem(files.ann_file, what, "mend the file, or name another class"))
        return []
    if built.metainfo["num_keypoints"] != data.count:
        what = f"{data.type} has {built.metainfo['num_keypoints']} keypoints, data.keypoints says {data.count}"
        reading.problems.append(Problem("data.keypoints", what, "correct it"))
        return []
    if data.ap:
        reading.sigmas = tuple(float(sigma) for sigma in built.metainfo["sigmas"])
    infos = [built.get_data_info(index) for index in range(len(built))]
    return [pose for index, info in enumerate(infos) if (pose := _pose(root, info, index, reading.problems))]


def _pose(root: Path, info: dict[str, Any], index: int, problems: list[Problem]) -> Pose | None:
    file = Path(info["img_path"])
    try:
        size = measure(file, header_only=True)
    except ValueError as reason:
        where = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
        problems.append(Problem(where, str(reason), "fetch it again, or take it out of the annotation file"))
        return None
    box = tuple(float(v) for v in info["bbox"][0])
    area = float(info.get("area", (box[2] - box[0]) * (box[3] - box[1])))
    visible = (info["keypoints_visible"][0] > 0).astype(int) * 2
    return Pose(file, size, box, info["keypoints"][0, :, :2], visible, area, int(info.get("img_id", index)), int(info.get("id", index)))
