"""Cambridge Landmarks (Kendall et al., ICCV 2015) in its official layout.

``dataset_train.txt`` and ``dataset_test.txt``: three header lines, then ``image x y z w p q r`` with the camera
centre in metres and the scalar-first quaternion of the world-to-camera rotation (VisualSFM).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, from_quaternion, sort_out

_HEADER = 3


def read(scene: Path, split: str, _options: CameraData) -> tuple[list[Frame], list[Problem]]:
    """Frames of one scene and split, in the file's order."""
    file = f"dataset_{split}.txt"
    try:
        lines = (scene / file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(file, f"cannot be read ({type(error).__name__})", "restore the dataset's file")]
    header, rows = lines[:_HEADER], lines[_HEADER:]
    if any(_frame_like(line) for line in header):
        return [], [Problem(file, "the three header lines are missing", "restore the dataset's file")]
    return sort_out([_frame(scene, line, f"{file}:{_HEADER + n + 1}") for n, line in enumerate(rows) if line.strip()])


def _frame_like(line: str) -> bool:
    parts = line.split()
    try:
        return len(parts) == 8 and all(np.isfinite(float(part)) for part in parts[1:])
    except ValueError:
        return False


def _frame(scene: Path, line: str, where: str) -> Frame | Problem:
    image, *numbers = line.split()
    try:
        values = np.array([float(number) for number in numbers])
    except ValueError:
        values = np.empty(0)
    if len(values) != 7:
        return Problem(where, "the line is not `image x y z w p q r`", "restore the dataset's file")
    if not (scene / image).is_file():
        return Problem(where, f"the image {image} is missing", "unpack the sequence, or delete the line")
    return from_quaternion(image, values[:3], values[3:], where)
