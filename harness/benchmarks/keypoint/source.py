"""From a benchmark's data options to its poses: one entry for training, floor, samples and check."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.keypoint import coco, deeplabcut, mmpose_files
from harness.benchmarks.keypoint.options import DeepLabCutData, KeypointData, MMPoseData
from harness.benchmarks.keypoint.poses import Reading
from harness.images import measure


def read(root: Path, data: KeypointData) -> Reading:
    """Both splits of a dataset, and what is wrong with it; image files are only looked at, not decoded."""
    if isinstance(data, DeepLabCutData):
        return deeplabcut.read(root, data)
    if isinstance(data, MMPoseData):
        return mmpose_files.read(root, data)
    return coco.read(root, data)


def check(root: Path, data: KeypointData) -> list[Problem]:
    """Everything missing or malformed, with every image decoded."""
    reading = read(root, data)
    problems = list(reading.problems)
    for file in sorted({pose.file for pose in (*reading.train, *reading.test)}):
        try:
            measure(file)
        except ValueError as reason:
            where = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
            problems.append(Problem(where, str(reason), "fetch the file again, or delete it and its labels"))
    shared = {pose.file for pose in reading.train} & {pose.file for pose in reading.test}
    if shared:
        what = f"{len(shared)} images are in the training and in the test split, e.g. {min(shared).name}"
        problems.append(Problem("splits", what, "take them out of one of the two"))
    return problems
