"""Readers of camera-localization datasets: one record per frame, whatever the format.

Every reader maps a scene's folder to (frames, problems). Poses leave here in one convention: camera centre in
metres, rotation from camera to world, camera axes x right, y down, z forward (OpenCV).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers import cambridge, colmap, seven_scenes, transforms
from harness.benchmarks.camera_localization.readers.frame import Frame
from harness.errors import DataError

READERS: dict[str, Callable[[Path, str, CameraData], tuple[list[Frame], list[Problem]]]] = {
    "synthetic": seven_scenes.read,
    "7scenes": seven_scenes.read,
    "cambridge": cambridge.read,
    "transforms": transforms.read,
    "colmap": colmap.read,
}
SPLITS = ("train", "test")


def scan(root: Path, options: CameraData, split: str) -> tuple[list[Frame], list[Problem]]:
    """All frames of one split, scene after scene, and everything that is wrong with them.

    A frame with a problem is not among the frames. Images are not opened here.
    """
    frames: list[Frame] = []
    problems: list[Problem] = []
    for index, folder in enumerate(options.scenes):
        place = root / folder
        if not place.is_dir():
            problems.append(Problem(folder, "the scene's folder is missing", "put it there or take it out of data.scenes"))
            continue
        found, wrong = READERS[options.format](place, split, options)
        frames += [frame.inside(folder, index) for frame in found]
        problems += [Problem(f"{folder}/{p.where}".removeprefix("./"), p.what, p.mend, p.fatal) for p in wrong]
        problems += _miscounted(folder, len(found), split, options, bool(wrong))
    return frames, problems


def _miscounted(scene: str, count: int, split: str, options: CameraData, explained: bool) -> list[Problem]:
    expected = options.counts.get(scene)
    if expected and count != expected[SPLITS.index(split)]:
        wanted = expected[SPLITS.index(split)]
        return [Problem(scene, f"{count} usable {split} frames, the protocol has {wanted}", "fetch the scene again")]
    if not count and not explained:
        return [Problem(scene, f"no {split} frames", "list sequences that hold frames in the split file")]
    return []


def load(root: Path, options: CameraData, split: str) -> list[Frame]:
    """The frames of one split.

    Raises:
        DataError: the first fatal problem, and how many more there are.
    """
    frames, problems = scan(root, options, split)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        first = fatal[0]
        more = f" ({len(fatal) - 1} more problems; `harness data check` lists them.)" if len(fatal) > 1 else ""
        raise DataError(f"{root / first.where}: {first.what}. Mend: {first.mend}.{more}")
    if not frames:
        raise DataError(f"{root}: no {split} frame can be used. `harness data check` says why.")
    return frames
