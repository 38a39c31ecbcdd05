"""``transforms.json`` as instant-ngp and nerfstudio write it.

``frames[].transform_matrix`` is camera-to-world in OpenGL axes (x right, y up, z backward): the second and third
column change sign. ``file_path`` may lack its suffix. Entries whose image is missing are common, since the tools drop
blurred frames, and cost only themselves.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import numpy as np

from harness.benchmarks.base import Problem
from harness.benchmarks.camera_localization.options import TransformsData
from harness.benchmarks.camera_localization.readers.frame import Frame, from_matrix, sort_out

_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".JPG", ".PNG")
OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def read(scene: Path, split: str, options: TransformsData) -> tuple[list[Frame], list[Problem]]:
    """Frames of one scene and split.

    The split is that of ``transforms_<split>.json``, else of the lists ``train_filenames`` and ``test_filenames``,
    else the last ``test_share`` of the frames by name.
    """
    own = f"transforms_{split}.json"
    file = own if (scene / own).is_file() else "transforms.json"
    content = _parse(scene / file)
    if isinstance(content, str):
        return [], [Problem(file, content, "give a transforms.json with a list `frames`")]
    results = [_frame(scene, entry, f"{file}:frames[{n}]") for n, entry in enumerate(content["frames"])]
    frames, problems = sort_out(results)
    if file == own:
        return frames, problems
    return _part(frames, content, split, options.test_share), problems if split == "train" else []


def _parse(file: Path) -> dict | str:
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


def _part(frames: list[Frame], content: dict, split: str, test_share: float) -> list[Frame]:
    if isinstance(content.get("train_filenames"), list) and isinstance(content.get("test_filenames"), list):
        wanted = {_normal(str(name)) for name in content[f"{split}_filenames"]}
        return [frame for frame in frames if {frame.image, str(PurePosixPath(frame.image).with_suffix(""))} & wanted]
    return hold_out(frames, split, test_share)


def hold_out(frames: list[Frame], split: str, test_share: float) -> list[Frame]:
    """The last ``test_share`` of the frames by name for testing, the others for training."""
    ordered = sorted(frames, key=lambda frame: frame.image)
    first = len(ordered) - max(1, round(test_share * len(ordered)))
    return ordered[first:] if split == "test" else ordered[:first]


def _normal(path: str) -> str:
    return str(PurePosixPath(path.replace("\\", "/")))


def _frame(scene: Path, entry: object, where: str) -> Frame | Problem:
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
    return from_matrix(image, matrix @ OPENGL_TO_OPENCV, where)
