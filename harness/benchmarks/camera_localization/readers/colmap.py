"""COLMAP text models.

``images.txt`` has two lines per image: ``ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`` and its 2-D points, which may be
an empty line. The rotation R and translation t are world-to-camera; the camera centre is -R^T t.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format, Problem, Split
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_quaternion
from harness.benchmarks.camera_localization.readers.hold_out import HoldOutData
from harness.benchmarks.camera_localization.readers.scenes import over_scenes

_MODELS = ("images.txt", "sparse/images.txt", "sparse/0/images.txt")
_BINARY = ("images.bin", "sparse/images.bin", "sparse/0/images.bin")


class ColmapData(HoldOutData):
    """A COLMAP text model: ``images.txt`` in the scene's folder, ``sparse`` or ``sparse/0``; frames in ``images``."""

    format: Literal["colmap"]
    images: str = "images"
    """Folder of the frames inside the scene's folder."""


def read(root: Path, data: ColmapData) -> Frames:
    """Frames by scene and name; the last ``test_share`` of each scene are for testing."""
    return over_scenes(root, data, _scene)


def _scene(scene: Path, split: Split, data: ColmapData) -> Iterator[Frame | Problem | Path]:
    file = next((name for name in _MODELS if (scene / name).is_file()), None)
    if file is None:
        binary = next((name for name in _BINARY if (scene / name).is_file()), None)
        mend = "convert the model: colmap model_converter --output_type TXT" if binary else f"put it at {', '.join(_MODELS)}"
        yield Problem(binary or _MODELS[0], "there is no text model", mend)
        return
    yield scene / file
    try:
        lines = (scene / file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(file, f"cannot be read ({type(error).__name__})", "export the model as text")
        return
    numbered = [(n, line) for n, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]
    # every second line lists points and may be empty, so empty lines count; those after the last image do not
    while numbered and not numbered[-1][1].strip():
        numbered.pop()
    found = [_frame(scene, line, f"{file}:{n}", data.images) for n, line in numbered[::2]]
    yield from (one for one in found if isinstance(one, Problem))
    yield from data.part([one for one in found if isinstance(one, Frame)], split)


def _frame(scene: Path, line: str, where: str, folder: str) -> Frame | Problem:
    import numpy as np
    from scipy.spatial.transform import Rotation

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
    centre = -Rotation.from_quat(rotation, scalar_first=True).inv().apply(translation)
    return from_quaternion(image, centre, rotation, where)


FORMAT = Format(ColmapData, read)
