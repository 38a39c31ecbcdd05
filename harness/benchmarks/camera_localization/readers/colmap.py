"""COLMAP text models.

``images.txt`` has two lines per image: ``ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`` and its 2-D points, which may be
an empty line. The rotation R and translation t are world-to-camera; the camera centre is -R^T t.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization import geometry
from harness.benchmarks.camera_localization.options import ColmapData
from harness.benchmarks.camera_localization.readers.frame import Frame, from_quaternion, sort_out
from harness.benchmarks.camera_localization.readers.transforms import hold_out

_MODELS = ("images.txt", "sparse/images.txt", "sparse/0/images.txt")


def read(scene: Path, split: str, options: ColmapData) -> tuple[list[Frame], list[Problem]]:
    """Frames of one scene and split; the last ``test_share`` by name are for testing."""
    file = next((name for name in _MODELS if (scene / name).is_file()), None)
    if file is None:
        binary = next((p for p in ("images.bin", "sparse/images.bin", "sparse/0/images.bin") if (scene / p).is_file()), None)
        mend = "convert the model: colmap model_converter --output_type TXT" if binary else f"put it at {', '.join(_MODELS)}"
        return [], [Problem(binary or _MODELS[0], "there is no text model", mend)]
    try:
        lines = (scene / file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(file, f"cannot be read ({type(error).__name__})", "export the model as text")]
    numbered = [(n + 1, line) for n, line in enumerate(lines) if not line.lstrip().startswith("#")]
    # every second line lists points and may be empty, so empty lines count; those after the last image do not
    while numbered and not numbered[-1][1].strip():
        numbered.pop()
    frames, problems = sort_out([_frame(scene, line, f"{file}:{n}", options.images) for n, line in numbered[::2]])
    return hold_out(frames, split, options.test_share), problems if split == "train" else []


def _frame(scene: Path, line: str, where: str, folder: str) -> Frame | Problem:
    parts = line.split(maxsplit=9)
    try:
        values = np.array([float(part) for part in parts[1:8]])
    except ValueError:
        values = np.empty(0)
    if len(parts) != 10 or len(values) != 7:
        return Problem(where, "the line is not `ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`", "export the model as text again")
    image = str(Path(folder, parts[9].strip()).as_posix())
    if not (scene / image).is_file():
        return Problem(where, f"the image {image} is missing; the entry is left out", "restore it, or set data.images", fatal=False)
    rotation, translation = values[:4], values[4:]
    if not np.isfinite(values).all() or not rotation.any():
        return Problem(where, "the pose holds NaN, infinite or zero values", "export the model as text again")
    centre = -geometry.matrix_of(rotation).T @ translation
    return from_quaternion(image, centre, rotation, where)
