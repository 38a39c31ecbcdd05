"""``transforms.json`` as instant-ngp and nerfstudio write it.

``frames[].transform_matrix`` is camera-to-world in OpenGL axes (x right, y up, z backward): the second and third
column change sign. ``file_path`` may lack its suffix, or be a path of the machine that wrote it: what of its end lies in the
scene's folder counts. Entries whose image is missing are common, since the tools drop blurred frames, and cost only themselves.

```
{"frames": [
  {"file_path": "images/000.png", "transform_matrix": [[1, 0, 0, 0.5], [0, 1, 0, 0.1], [0, 0, 1, 2.0], [0, 0, 0, 1]]}
]}
```

Positions are read as they stand there, in the frame that ``applied_transform`` and ``applied_scale`` made.

A second list ``test_frames`` of the same kind, as in ScanNet++, is the test, and all of ``frames`` is for training, but what is marked
``is_bad`` there (blurred, or in deep shadow); of ``test_frames`` all count, as for ScanNet++'s own evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from harness.benchmarks.base import NEEDED, SPLITS, Format, Problem, Split
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_matrix
from harness.benchmarks.camera_localization.readers.hold_out import HoldOutData, hold_out
from harness.benchmarks.camera_localization.readers.rigs import tell_twins, with_moments
from harness.benchmarks.camera_localization.readers.scenes import Scene, over_scenes
from harness.benchmarks.coco import is_set
from harness.benchmarks.listed import tails
from harness.images import SUFFIXES

_SUFFIXES = ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))
_OPENGL_TO_OPENCV = (1.0, -1.0, -1.0, 1.0)
"""Signs of the columns."""
_TEST = "test_frames"
_LISTS: dict[Split, str] = {split: f"{split}_filenames" for split in SPLITS}


class TransformsData(HoldOutData):
    """``transforms.json`` of instant-ngp and nerfstudio, or ``transforms_train.json``, ``transforms_test.json`` and, where it is there,
    ``transforms_val.json``."""

    format: Literal["transforms"]


def read(root: Path, data: TransformsData) -> Frames:
    """Frames by scene, in the files' order or, where a share is held out, by name."""
    return over_scenes(root, data, _scene)


def _scene(scene: Scene, data: TransformsData) -> None:
    """The splits are those of ``transforms_<split>.json``, else of ``test_frames``, else of the lists ``train_filenames``,
    ``val_filenames`` (if it is there) and ``test_filenames``, else of ``data.test``, else the last ``test_share`` of the frames by name
    are for testing."""
    own = {split: f"transforms_{split}.json" for split in SPLITS}
    if any((scene.root / own[split]).is_file() for split in NEEDED):
        for split, file in own.items():
            if split in NEEDED or (scene.root / file).is_file():
                content = _parse(scene, file)
                scene.place(split, _frames(scene, content, file, data))
                if content.get("frames") == []:
                    scene.add(file, "its list `frames` is empty", "add its frames, or delete the file")
        every = iter(with_moments([frame for split in SPLITS for frame in scene.of(split)]))
        for split in SPLITS:
            scene.of(split)[:] = [next(every) for _ in scene.of(split)]
        tell_twins(scene, own["test"])
        return
    content = _parse(scene, "transforms.json", (_TEST,))
    if isinstance(content.get(_TEST), list) and content[_TEST]:
        _with_test_frames(scene, content, data)
        return
    found = [*_frames(scene, content, "transforms.json", data)]
    scene.problems += (one for one in found if isinstance(one, Problem))
    frames = with_moments([one for one in found if isinstance(one, Frame)])
    lists = {split: key for split, key in _LISTS.items() if isinstance(content.get(key), list)}
    if lacking := [_LISTS[split] for split in NEEDED if split not in lists]:
        if lists:
            what = f"it has {' and '.join(lists.values())}, but no {' and no '.join(lacking)}"
            scene.add("transforms.json", what, "add that list, or delete all of them to hold out a share of the frames")
        elif content:
            hold_out(frames, scene, data)
        return
    known = {frame.image for frame in frames}
    chosen: dict[Split, set[str]] = {}
    for split, key in lists.items():
        images = {str(name): _image(scene, str(name)) for name in content[key]}
        if not images:
            scene.add("transforms.json", f"its list {key} is empty", "name its frames, or delete the list")
        chosen[split] = {image for image in images.values() if image in known}
        scene.place(split, [frame for frame in frames if frame.image in chosen[split]])
        if lost := [name for name, image in images.items() if image not in known]:
            what = f"{len(lost)} of the {len(images)} names in {key} have no frame that can be used, e.g. '{lost[0]}'"
            mend = f"give their poses, or take them out; without them {split} is another"
            scene.add("transforms.json", what, mend, fatal=not chosen[split])
    tell_twins(scene, "transforms.json")
    if neither := [frame.image for frame in frames if not any(frame.image in names for names in chosen.values())]:
        what = f"{len(neither)} frames are in neither {' nor '.join(lists.values())}, e.g. {neither[0]}; they are not used"
        scene.add("transforms.json", what, "add them to one of the lists", fatal=False)


def _with_test_frames(scene: Scene, content: dict[str, Any], data: TransformsData) -> None:
    """``frames`` are for training and ``test_frames`` for testing."""
    others = [key for key in _LISTS.values() if content.get(key)] + (["data.test"] if data.test else [])
    if others:
        what = f"its list {_TEST} says what is tested, and so {'does' if len(others) == 1 else 'do'} {' and '.join(others)}"
        scene.add("transforms.json", what, f"keep one: take the others out, or move the frames of {_TEST} into `frames`")
    training = [*_frames(scene, content, "transforms.json", data)]
    testing = [*_frames(scene, content, "transforms.json", data, _TEST)]
    scene.problems += (one for one in (*training, *testing) if isinstance(one, Problem))
    learnt, tested = ([one for one in some if isinstance(one, Frame)] for some in (training, testing))
    frames = with_moments([*learnt, *tested])
    scene.train += frames[: len(learnt)]
    scene.test += frames[len(learnt) :]
    tell_twins(scene, "transforms.json")


def _parse(scene: Scene, file: str, lists: tuple[str, ...] = ()) -> dict[str, Any]:
    """The file's content; nothing (and a problem) if there is none that can be used.

    Args:
        lists: keys of lists of frames that are read beside ``frames``; others are told.
    """
    mend = "give a transforms.json with a list `frames`"
    text = scene.text(file, mend)
    if text is None:
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        scene.add(file, f"the file is not JSON ({type(error).__name__})", mend)
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        scene.add(file, "the file has no list `frames`", mend)
        return {}
    for key, some in content.items():
        posed = [one for one in some if isinstance(one, dict) and "transform_matrix" in one] if isinstance(some, list) else []
        if posed and key not in ("frames", *lists):
            what = f"the {len(posed)} frames listed in `{key}` are not read"
            scene.add(file, what, f"put them into `frames`, or call the list `{_TEST}` in transforms.json to test on them", fatal=False)
    return content


def _frames(scene: Scene, content: dict[str, Any], file: str, data: TransformsData, key: str = "frames") -> Iterator[Frame | Problem]:
    scale = content.get("applied_scale", 1)
    if scale != 1 or "applied_transform" in content:
        what = "positions are in the frame that applied_transform and applied_scale made"
        what += f", {scale} times as long as the originals" if scale != 1 else ""
        mend = f"for the original units, divide them by {scale} and delete applied_scale" if scale != 1 else ""
        if fatal := scale != 1 and data.is_metric:
            mend += "; or write data.unit: scene units"
        yield Problem(file, what, mend, fatal)
    ways: dict[str, list[str]] = {}
    for n, entry in enumerate(content.get(key, ())):
        if key != _TEST and isinstance(entry, dict) and is_set(entry.get("is_bad")):
            scene.left_out["frames marked is_bad"] += 1
            continue
        yield (found := _frame(scene, entry, f"{file}:{key}[{n}]", data))
        if isinstance(found, Frame):
            path = tails(entry["file_path"])[0]
            cut = "/".join(path.split("/")[: -len(found.image.split("/"))])
            ways.setdefault(cut, []).append(f"{path} as {found.image}")
    # folders of another machine stand before all paths alike
    if odd := [example for _, some in sorted(ways.items(), key=lambda way: len(way[1]))[:-1] for example in some]:
        what = f"{len(odd)} images were found by another end of their path than the rest, e.g. {odd[0]}"
        yield Problem(file, what, "see whether these are meant, and write their paths from the scene's folder", fatal=False)


def _image(scene: Scene, path: str) -> str | None:
    """The image of a ``file_path``, which may begin with folders of another machine, from the scene's folder."""
    ends = tails(path)
    exact = next((tail + suffix for suffix in _SUFFIXES for tail in ends if (scene.root / (tail + suffix)).is_file()), None)
    return exact or next((image for suffix in ("", *SUFFIXES) for tail in ends if (image := scene.find(tail + suffix))), None)


def _frame(scene: Scene, entry: object, where: str, data: TransformsData) -> Frame | Problem:
    import numpy as np

    if not isinstance(entry, dict) or not isinstance(entry.get("file_path"), str):
        return Problem(where, "the entry has no file_path", "give each frame a file_path and a transform_matrix")
    try:
        matrix = np.array(entry.get("transform_matrix"), dtype=float)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape not in ((4, 4), (3, 4)):
        return Problem(where, "transform_matrix is not a 4x4 matrix of numbers", "give each frame a transform_matrix")
    image = _image(scene, entry["file_path"])
    if image is None:
        path = (tails(entry["file_path"]) or [""])[0]
        return Problem(where, f"{scene.missing(path)}; the entry is left out", "restore the image, or delete the entry", fatal=False)
    return from_matrix(image, matrix * _OPENGL_TO_OPENCV, where, data.unit)


FORMAT = Format(TransformsData, read)
