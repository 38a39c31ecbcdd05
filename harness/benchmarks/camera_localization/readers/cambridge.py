"""Cambridge Landmarks (Kendall et al., ICCV 2015) in its official layout.

``dataset_train.txt`` and ``dataset_test.txt``: three header lines, then ``image x y z w p q r`` with the camera
centre in metres and the scalar-first quaternion of the world-to-camera rotation (VisualSFM).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format, Problem, Split
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_quaternion
from harness.benchmarks.camera_localization.readers.scenes import over_scenes

_HEADER = 3


class CambridgeData(CameraData):
    """Cambridge Landmarks: ``<scene>/dataset_train.txt`` and ``dataset_test.txt`` beside the frames."""

    format: Literal["cambridge"]
    root: str
    thresholds: list[tuple[float, float]] = Field(default=[(1.0, 5.0), (1.0, 10.0), (2.0, 5.0), (2.0, 10.0)], min_length=1)


def read(root: Path, data: CambridgeData) -> Frames:
    """Frames by scene, in the files' order."""
    return over_scenes(root, data, _scene)


def _scene(scene: Path, split: Split, _data: CambridgeData) -> Iterator[Frame | Problem | Path]:
    file = f"dataset_{split}.txt"
    yield scene / file
    try:
        lines = (scene / file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(file, f"cannot be read ({type(error).__name__})", "restore the dataset's file")
        return
    if any(_frame_like(line) for line in lines[:_HEADER]):
        yield Problem(file, "the three header lines are missing", "restore the dataset's file")
        return
    for number, line in enumerate(lines[_HEADER:], _HEADER + 1):
        if line.strip():
            yield _frame(scene, line, f"{file}:{number}")


def _frame_like(line: str) -> bool:
    parts = line.split()
    try:
        return len(parts) == 8 and all(isfinite(float(part)) for part in parts[1:])
    except ValueError:
        return False


def _frame(scene: Path, line: str, where: str) -> Frame | Problem:
    import numpy as np

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


FORMAT = Format(CambridgeData, read)
