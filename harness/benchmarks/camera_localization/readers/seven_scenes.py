"""7-Scenes (Shotton et al., CVPR 2013) in its official layout.

``seq-XX/frame-NNNNNN.color.png`` with ``.pose.txt``, a 4x4 camera-to-world matrix in metres whose rotation is
orthonormal up to rounding only. ``TrainSplit.txt``, ``TestSplit.txt`` and, where it is there, ``ValSplit.txt`` hold lines like
``sequence1``. A pose file:

```
 9.9935e-01  -1.5577e-02   3.2508e-02  -1.4645e-03
 9.1442e-03   9.8180e-01   1.8967e-01   1.3650e-03
-3.4871e-02  -1.8925e-01   9.8131e-01   1.0000e-01
 0.0000e+00   0.0000e+00   0.0000e+00   1.0000e+00
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from harness.benchmarks.base import NEEDED, SPLITS, Format, Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, Lost, from_matrix, natural, number
from harness.benchmarks.camera_localization.readers.scenes import Scene, over_scenes
from harness.images import is_hidden

_IMAGES = (".color.png", ".color.jpg", ".color.jpeg")


class SevenScenesData(CameraData):
    """Official 7-Scenes layout: ``seq-XX/frame-*.color.png`` (or .jpg) and ``.pose.txt``, ``TrainSplit.txt``, ``TestSplit.txt``."""

    widest: ClassVar[float] = 50.0
    """Its rooms have up to 4, and 400 are a room in centimetres."""

    format: Literal["7scenes"]
    root: str


def read(root: Path, data: CameraData) -> Frames:
    """Frames by scene, sequence (as the split file lists them) and name."""
    return over_scenes(root, data, _scene)


def _scene(scene: Scene, data: CameraData) -> None:
    for split in SPLITS:
        file = f"{split.capitalize()}Split.txt"
        if split in NEEDED or (scene.root / file).is_file():
            scene.place(split, _frames(scene, file, data))


def _frames(scene: Scene, file: str, data: CameraData) -> Iterator[Frame | Problem]:
    lines = (scene.text(file, "write one line per sequence, e.g. sequence1") or "").split()
    for line in dict.fromkeys(lines):
        found = re.fullmatch(r"(?:sequence|seq-?)(\d+)", line, re.IGNORECASE)
        if not found:
            yield Problem(file, f"'{line}' names no sequence", "write lines like sequence1")
            continue
        sequence = f"seq-{int(found[1]):02d}"
        if (scene.root / sequence).is_dir():
            yield from _sequence(scene, sequence, data)
        else:
            what = f"the sequence is listed in {file} but its folder is missing"
            yield Problem(sequence, what, "unpack it, or take the line out")


def _sequence(scene: Scene, sequence: str, data: CameraData) -> Iterator[Frame | Problem]:
    names = [path.name for path in (scene.root / sequence).iterdir() if not is_hidden(path.name)]
    poses = {name.removesuffix(".pose.txt") for name in names if name.endswith(".pose.txt")}
    images: dict[str, str] = {}
    for name in sorted(names):
        for suffix in _IMAGES:
            if name.lower().endswith(suffix):
                images.setdefault(name[: -len(suffix)], name)
    if not poses and not images:
        yield Problem(sequence, "the sequence holds no frames", "unpack it again")
    for stem in sorted({*poses, *images}, key=natural):
        where = f"{sequence}/{stem}"
        if stem not in images:
            yield Problem(f"{where}.color.png", "the frame has a pose but no image", "restore the image, or delete the pose")
        elif stem not in poses:
            yield Lost(f"{where}.pose.txt", "the frame has an image but no pose")
        else:
            scene.sources.append(scene.root / f"{where}.pose.txt")
            yield _frame(scene, f"{sequence}/{images[stem]}", f"{where}.pose.txt", data)


def _frame(scene: Scene, image: str, pose: str, data: CameraData) -> Frame | Problem:
    import numpy as np

    try:
        lines = (scene.root / pose).read_text(encoding="utf-8-sig").splitlines()
        matrix = np.array([[number(text) for text in line.split()] for line in lines if line.strip()], dtype=float)
    except (OSError, ValueError):  # not text, not numbers, or rows of different lengths
        return Problem(pose, "the pose is not a matrix of numbers", "write four rows of four numbers")
    return from_matrix(image, matrix, pose, data.unit)


FORMAT = Format(SevenScenesData, read)
