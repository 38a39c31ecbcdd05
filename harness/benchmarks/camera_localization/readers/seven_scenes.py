"""7-Scenes (Shotton et al., CVPR 2013) in its official layout.

``seq-XX/frame-NNNNNN.color.png`` with ``.pose.txt``, a 4x4 camera-to-world matrix in metres whose rotation is
orthonormal up to rounding only. ``TrainSplit.txt`` and ``TestSplit.txt`` hold lines like ``sequence1``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, from_matrix, sort_out

_IMAGES = (".color.png", ".color.jpg", ".color.jpeg")


def read(scene: Path, split: str, _options: CameraData) -> tuple[list[Frame], list[Problem]]:
    """Frames of one scene and split, ordered by sequence (as the split file lists them) and name."""
    file = f"{split.capitalize()}Split.txt"
    try:
        lines = (scene / file).read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(file, f"the split cannot be read ({type(error).__name__})", "write one line per sequence, e.g. sequence1")]
    results: list[Frame | Problem] = []
    for line in dict.fromkeys(lines):
        found = re.fullmatch(r"(?:sequence|seq-?)(\d+)", line, re.IGNORECASE)
        if not found:
            results.append(Problem(file, f"'{line}' names no sequence", "write lines like sequence1"))
            continue
        sequence = f"seq-{int(found[1]):02d}"
        results += _sequence(scene, sequence) if (scene / sequence).is_dir() else [
            Problem(sequence, f"the sequence is listed in {file} but its folder is missing", "unpack it, or take the line out")
        ]  # fmt: skip
    return sort_out(results)


def _sequence(scene: Path, sequence: str) -> list[Frame | Problem]:
    names = sorted(path.name for path in (scene / sequence).iterdir())
    poses = [name.removesuffix(".pose.txt") for name in names if name.endswith(".pose.txt")]
    images: dict[str, str] = {}
    for name in names:
        for suffix in _IMAGES:
            if name.lower().endswith(suffix):
                images.setdefault(name[: -len(suffix)], name)
    if not poses and not images:
        return [Problem(sequence, "the sequence holds no frames", "unpack it again")]
    results: list[Frame | Problem] = []
    for stem in sorted({*poses, *images}):
        where = f"{sequence}/{stem}"
        if stem not in images:
            results.append(Problem(f"{where}.color.png", "the frame has a pose but no image", "restore the image, or delete the pose"))
        elif not (scene / f"{where}.pose.txt").is_file():
            results.append(Problem(f"{where}.pose.txt", "the frame has an image but no pose", "restore the pose, or delete the image"))
        else:
            results.append(_frame(scene, f"{sequence}/{images[stem]}", f"{where}.pose.txt"))
    return results


def _frame(scene: Path, image: str, pose: str) -> Frame | Problem:
    try:
        rows = [[float(number) for number in line.split()] for line in (scene / pose).read_text().splitlines() if line.strip()]
        matrix = np.array(rows, dtype=float)
    except (OSError, ValueError):  # not text, not numbers, or rows of different lengths
        return Problem(pose, "the pose is not a matrix of numbers", "write four rows of four numbers")
    return from_matrix(image, matrix, pose)
