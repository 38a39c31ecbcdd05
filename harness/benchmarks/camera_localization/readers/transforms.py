"""``transforms.json`` as instant-ngp and nerfstudio write it.

``frames[].transform_matrix`` is camera-to-world in OpenGL axes (x right, y up, z backward): the second and third
column change sign. ``file_path`` may lack its suffix. Entries whose image is missing are common, since the tools drop
blurred frames, and cost only themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from harness.benchmarks.base import Format, Problem, Split
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_matrix
from harness.benchmarks.camera_localization.readers.hold_out import HoldOutData
from harness.benchmarks.camera_localization.readers.scenes import over_scenes

_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".JPG", ".PNG")
_OPENGL_TO_OPENCV = (1.0, -1.0, -1.0, 1.0)
"""Signs of the columns."""


class TransformsData(HoldOutData):
    """``transforms.json`` of instant-ngp and nerfstudio, or ``transforms_train.json`` and ``transforms_test.json``."""

    format: Literal["transforms"]


def read(root: Path, data: TransformsData) -> Frames:
    """Frames by scene, in the files' order or, where a share is held out, by name."""
    return over_scenes(root, data, _scene)


def _scene(scene: Path, split: Split, data: TransformsData) -> Iterator[Frame | Problem | Path]:
    """The split is that of ``transforms_<split>.json``, else of the lists ``train_filenames`` and ``test_filenames``, else the
    last ``test_share`` of the frames by name."""
    own = f"transforms_{split}.json"
    file = own if (scene / own).is_file() else "transforms.json"
    yield scene / file
    content = _parse(scene / file)
    if isinstance(content, str):
        yield Problem(file, content, "give a transforms.json with a list `frames`")
        return
    found = [_frame(scene, entry, f"{file}:frames[{n}]") for n, entry in enumerate(content["frames"])]
    yield from (one for one in found if isinstance(one, Problem))
    frames = [one for one in found if isinstance(one, Frame)]
    if file == own:
        yield from frames
    elif isinstance(content.get("train_filenames"), list) and isinstance(content.get("test_filenames"), list):
        wanted = {_normal(str(name)) for name in content[f"{split}_filenames"]}
        yield from (frame for frame in frames if {frame.image, str(PurePosixPath(frame.image).with_suffix(""))} & wanted)
    else:
        yield from data.part(frames, split)


def _parse(file: Path) -> dict[str, Any] | str:
    """The file's content, or what is wrong with it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return "the file is missing"
    except (OSError, ValueError, RecursionError) as error:
        return f"the file is not JSON ({type(error).__name__})"
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        return "the file has no list `frames`"
    return content


def _normal(path: str) -> str:
    return str(PurePosixPath(path.replace("\\", "/")))


def _frame(scene: Path, entry: object, where: str) -> Frame | Problem:
    import numpy as np

    if not isinstance(entry, dict) or not isinstance(entry.get("file_path"), str):
        return Problem(where, "the entry has no file_path", "give each frame a file_path and a transform_matrix")
    try:
        matrix = np.array(entry.get("transform_matrix"), dtype=float)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape not in ((4, 4), (3, 4)):
        return Problem(where, "transform_matrix is not a 4x4 matrix of numbers", "give each frame a transform_matrix")
    path = _normal(entry["file_path"])
    image = next((path + suffix for suffix in _SUFFIXES if (scene / (path + suffix)).is_file()), None)
    if image is None:
        return Problem(where, f"the image {path} is missing; the entry is left out", "restore the image, or delete the entry", fatal=False)
    return from_matrix(image, matrix * _OPENGL_TO_OPENCV, where)


FORMAT = Format(TransformsData, read)
