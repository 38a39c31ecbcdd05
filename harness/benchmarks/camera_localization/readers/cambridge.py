"""Cambridge Landmarks (Kendall et al., ICCV 2015) in its official layout.

``dataset_train.txt``, ``dataset_test.txt`` and, where it is there, ``dataset_val.txt``: three header lines, then
``image x y z w p q r`` with the camera centre in metres and the scalar-first quaternion of the world-to-camera rotation (VisualSFM).

```
Visual Landmark Dataset V1
ImageFile, Camera Position [X Y Z W P Q R]

seq1/frame00001.png -26.43 -2.71 -5.62 0.9847 0.0311 -0.1629 0.0479
```
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import ClassVar, Literal

from harness.benchmarks.base import NEEDED, SPLITS, Format, Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_quaternion, number
from harness.benchmarks.camera_localization.readers.scenes import Scene, over_scenes

_HEADER = 3


class CambridgeData(CameraData):
    """Cambridge Landmarks: ``<scene>/dataset_train.txt`` and ``dataset_test.txt`` beside the frames."""

    in_metres: ClassVar[list[tuple[float, float]]] = [(1.0, 5.0), (1.0, 10.0), (2.0, 5.0), (2.0, 10.0)]

    format: Literal["cambridge"]
    root: str


def read(root: Path, data: CambridgeData) -> Frames:
    """Frames by scene, in the files' order."""
    return over_scenes(root, data, _scene)


def _scene(scene: Scene, data: CambridgeData) -> None:
    for split in SPLITS:
        file = f"dataset_{split}.txt"
        if split in NEEDED or (scene.root / file).is_file():
            scene.place(split, _frames(scene, file, data))


def _frames(scene: Scene, file: str, data: CambridgeData) -> Iterator[Frame | Problem]:
    lines = (scene.text(file, "restore the dataset's file") or "").splitlines()
    if any(_frame_like(line) for line in lines[:_HEADER]):
        yield Problem(file, "the three header lines are missing", "restore the dataset's file")
        return
    for place, line in enumerate(lines[_HEADER:], _HEADER + 1):
        if line.strip():
            yield _frame(scene, line, f"{file}:{place}", data)


def _frame_like(line: str) -> bool:
    parts = line.split()
    try:
        return len(parts) == 8 and all(isfinite(float(part)) for part in parts[1:])
    except ValueError:
        return False


def _frame(scene: Scene, line: str, where: str, data: CambridgeData) -> Frame | Problem:
    import numpy as np

    image, *numbers = line.rsplit(maxsplit=7)
    try:
        values = np.array([number(text) for text in numbers])
    except ValueError:
        values = np.empty(0)
    if len(values) != 7:
        return Problem(where, "the line is not `image x y z w p q r`", "restore the dataset's file")
    image = image.strip().replace("\\", "/")
    there = scene.find(image)
    if there is None:
        return Problem(where, scene.missing(image), "unpack the sequence, or delete the line")
    return from_quaternion(there, values[:3], values[3:], where, data.unit)


FORMAT = Format(CambridgeData, read)
