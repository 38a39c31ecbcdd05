"""7-Scenes (Shotton et al., CVPR 2013) in its official layout.

``seq-XX/frame-NNNNNN.color.png`` with ``.pose.txt``, a 4x4 camera-to-world matrix in metres whose rotation is
orthonormal up to rounding only. ``TrainSplit.txt`` and ``TestSplit.txt`` hold lines like ``sequence1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format, Problem, Split
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_matrix
from harness.benchmarks.camera_localization.readers.scenes import over_scenes

_IMAGES = (".color.png", ".color.jpg", ".color.jpeg")


class SevenScenesData(CameraData):
    """Official 7-Scenes layout: ``seq-XX/frame-*.color.png`` (or .jpg) and ``.pose.txt``, ``TrainSplit.txt``, ``TestSplit.txt``."""

    format: Literal["7scenes"]
    root: str


def read(root: Path, data: CameraData) -> Frames:
    """Frames by scene, sequence (as the split file lists them) and name."""
    return over_scenes(root, data, _scene)


def _scene(scene: Path, split: Split, _data: CameraData) -> Iterator[Frame | Problem | Path]:
    file = f"{split.capitalize()}Split.txt"
    yield scene / file
    try:
        lines = (scene / file).read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(file, f"the split cannot be read ({type(error).__name__})", "write one line per sequence, e.g. sequence1")
        return
    for line in dict.fromkeys(lines):
        found = re.fullmatch(r"(?:sequence|seq-?)(\d+)", line, re.IGNORECASE)
        if not found:
            yield Problem(file, f"'{line}' names no sequence", "write lines like sequence1")
            continue
        sequence = f"seq-{int(found[1]):02d}"
        if (scene / sequence).is_dir():
            yield from _sequence(scene, sequence)
        else:
            what = f"the sequence is listed in {file} but its folder is missing"
            yield Problem(sequence, what, "unpack it, or take the line out")


def _sequence(scene: Path, sequence: str) -> Iterator[Frame | Problem | Path]:
    names = sorted(path.name for path in (scene / sequence).iterdir())
    poses = {name.removesuffix(".pose.txt") for name in names if name.endswith(".pose.txt")}
    images: dict[str, str] = {}
    for name in names:
        for suffix in _IMAGES:
            if name.lower().endswith(suffix):
                images.setdefault(name[: -len(suffix)], name)
    if not poses and not images:
        yield Problem(sequence, "the sequence holds no frames", "unpack it again")
    for stem in sorted({*poses, *images}):
        where = f"{sequence}/{stem}"
        if stem not in images:
            yield Problem(f"{where}.color.png", "the frame has a pose but no image", "restore the image, or delete the pose")
        elif stem not in poses:
            yield Problem(f"{where}.pose.txt", "the frame has an image but no pose", "restore the pose, or delete the image")
        else:
            yield scene / f"{where}.pose.txt"
            yield _frame(scene, f"{sequence}/{images[stem]}", f"{where}.pose.txt")


def _frame(scene: Path, image: str, pose: str) -> Frame | Problem:
    import numpy as np

    try:
        rows = [[float(number) for number in line.split()] for line in (scene / pose).read_text().splitlines() if line.strip()]
        matrix = np.array(rows, dtype=float)
    except (OSError, ValueError):  # not text, not numbers, or rows of different lengths
        return Problem(pose, "the pose is not a matrix of numbers", "write four rows of four numbers")
    return from_matrix(image, matrix, pose)


FORMAT = Format(SevenScenesData, read)
