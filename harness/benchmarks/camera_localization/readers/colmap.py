"""COLMAP text models.

``images.txt`` has a line per image, and after each may follow its 2-D points, which are not read: a line of ``X Y POINT3D_ID``,
an empty line, or none. Rotation R and translation t are world-to-camera; the camera centre is -R^T t. A name may hold blanks.

```
# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
1 0.9998 0.0175 0.0 0.0 -0.12 0.03 1.5 1 left/000.png
12.5 7.25 -1 30.5 20.0 17
```

``test.txt``, ``list_test.txt`` or the file that ``data.test`` names lists the frames for testing, one name a line. The first two may
lie in the scene's folder or beside the model, as ``sparse/0/test.txt`` of 3D Gaussian Splatting.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from harness.benchmarks.base import Format, Problem, relative
from harness.benchmarks.camera_localization.readers.colmap_binary import count, lines
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, from_quaternion, natural, number
from harness.benchmarks.camera_localization.readers.hold_out import HoldOutData, hold_out
from harness.benchmarks.camera_localization.readers.scenes import Scene, over_scenes
from harness.images import search

_MODELS = ("images.txt", "sparse/images.txt", "sparse/0/images.txt")
_BINARY = ("images.bin", "sparse/images.bin", "sparse/0/images.bin")

_FEW, _SHORTER, _ROUNDING = 4, 1.2, 1e-6
"""Frames from which on paths are compared, how much shorter one must be to tell, and a scalar that counts as zero."""
_SECONDS, _PRINTED = 5, 1e-3
"""Within which files were written together, and what a pose may lose when it is printed."""


class ColmapData(HoldOutData):
    """A COLMAP text model: ``images.txt`` in the scene's folder, ``sparse`` or ``sparse/0``; frames in ``images``.

    A list ``test.txt`` or ``list_test.txt`` in the scene's folder or beside the model names the frames for testing.
    """

    usual_lists: ClassVar[tuple[str, ...]] = ("test.txt", "list_test.txt")

    format: Literal["colmap"]
    images: str = "images"
    """Folder of the frames inside the scene's folder."""


def read(root: Path, data: ColmapData) -> Frames:
    """Frames by scene and name; the last ``test_share`` of each scene are for testing where no list says which."""
    return over_scenes(root, data, _scene)


def _scene(scene: Scene, data: ColmapData) -> None:
    file = next((name for name in _MODELS if (scene.root / name).is_file()), None)
    if file is None:
        binary = next((name for name in _BINARY if (scene.root / name).is_file()), None)
        mend = "convert the model: colmap model_converter --output_type TXT" if binary else f"put it at {', '.join(_MODELS)}"
        scene.add(binary or _MODELS[0], "there is no text model", mend)
        return
    found = [*_frames(scene, file, data)]
    scene.problems += (one for one in found if isinstance(one, Problem))
    frames = [one for one in found if isinstance(one, Frame)]
    if _looks_scalar_last(frames):
        what = "read as QX QY QZ QW, quaternions put the cameras on a far shorter path, or all that they say now is half a turn"
        scene.add(file, what, "see whether they stand there scalar-last; COLMAP writes QW QX QY QZ", fatal=False)
    _tell_stale(frames, len(found), file, scene, data)
    _tell_unused(frames, file, scene, data)
    hold_out(frames, scene, data, str(PurePosixPath(file).parent))


def _tell_stale(frames: list[Frame], listed: int, file: str, scene: Scene, data: ColmapData) -> None:
    """Note that the binary model beside the text, which is what COLMAP itself reads and writes, is another."""
    binary = (scene.root / file).with_suffix(".bin")
    if not binary.is_file():
        return
    mend = "if the text is the older one, run colmap model_converter --output_type TXT again; or else delete images.bin"
    try:
        if (images := count(binary)) != listed:
            scene.add(file, f"it has {listed} images, {binary.name} beside it {images}; the text is read", mend, fatal=False)
        elif binary.stat().st_mtime > (scene.root / file).stat().st_mtime + _SECONDS:
            there = [_frame(scene, line, binary.name, data) for line in lines(binary)]
            poses = {frame.image: frame for frame in there if isinstance(frame, Frame)}
            if others := [frame.image for frame in frames if not _same(frame, poses.get(frame.image))]:
                what = f"{binary.name} beside it is newer and has other poses of {len(others)} images, e.g. {others[0]}; the text is read"
                scene.add(file, what, mend, fatal=False)
    except ValueError as error:
        scene.add(file, f"{binary.name} beside it cannot be read ({error}); the text is read", mend, fatal=False)


def _same(frame: Frame, other: Frame | None) -> bool:
    import numpy as np

    return other is not None and all(
        np.allclose(one, two, rtol=_PRINTED, atol=_PRINTED)
        for one, two in ((frame.position, other.position), (frame.quaternion, other.quaternion))
    )


def _tell_unused(frames: list[Frame], file: str, scene: Scene, data: ColmapData) -> None:
    """Note other models, whose poses are in frames of their own, and images without a pose."""
    others = sorted({one.relative_to(scene.root).as_posix() for one in scene.root.glob("sparse/*/images.*")} - {file})
    if others := [other for other in others if Path(other).parent != Path(file).parent]:
        what = f"{len(others)} other files of models are not read, e.g. {others[0]}"
        scene.add(file, what, "make each model a scene of its own, or merge them", fatal=False)
    found = search(scene.root / data.images)
    scene.left_out += found.passed_over
    posed = {scene.root / frame.image for frame in frames}
    if unposed := [image for image in found.files if image not in posed]:
        what = f"{len(unposed)} of {len(found.files)} images have no pose that can be used, e.g. {relative(unposed[0], scene.root)}"
        scene.add(file, what, "reconstruct them, too, to use them", fatal=False)


def _frames(scene: Scene, file: str, data: ColmapData) -> Iterator[Frame | Problem]:
    text = scene.text(file, "export the model as text")
    points_may_follow = False
    for place, line in enumerate((text or "").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _is_points(line):
            if not points_may_follow:
                yield Problem(f"{file}:{place}", "the line lists points, but no image stands before it", "export the model as text again")
            points_may_follow = False
            continue
        points_may_follow = True
        yield _frame(scene, line, f"{file}:{place}", data)


def _is_points(line: str) -> bool:
    """Whether a line is ``X Y POINT3D_ID`` over and over; that of an image ends in a name."""
    parts = line.split()
    try:
        return len(parts) % 3 == 0 and all(int(part) >= -1 for part in parts[2::3]) and [float(part) for part in parts] != []
    except ValueError:
        return False


def _looks_scalar_last(frames: list[Frame]) -> bool:
    """Whether the centres -R^T t lie on a far shorter path with quaternions read scalar-last, or no scalar differs from zero."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    if len(frames) < _FEW:
        return False
    ordered = sorted(frames, key=lambda frame: natural(frame.image))
    centres = np.array([frame.position for frame in ordered])
    world_to_camera = Rotation.from_quat([frame.quaternion for frame in ordered], scalar_first=True).inv()
    quaternions = world_to_camera.as_quat(scalar_first=True)
    other = Rotation.from_quat(quaternions).inv().apply(world_to_camera.apply(centres))
    here, there = (np.linalg.norm(np.diff(path, axis=0), axis=1).sum() for path in (centres, other))
    return bool(there * _SHORTER < here or (abs(quaternions[:, 0]) < _ROUNDING).all())


def _frame(scene: Scene, line: str, where: str, data: ColmapData) -> Frame | Problem:
    import numpy as np
    from scipy.spatial.transform import Rotation

    parts = line.split(maxsplit=9)
    try:
        values = np.array([number(part) for part in parts[1:8]])
    except ValueError:
        values = np.empty(0)
    if len(parts) != 10 or len(values) != 7:
        return Problem(where, "the line is not `ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`", "export the model as text again")
    image = str(Path(data.images, parts[9].strip()).as_posix())
    there = scene.find(image)
    if there is None:
        mend = "restore it, set data.images, or name the files as the model does"
        return Problem(where, f"{scene.missing(image)}; the entry is left out", mend, fatal=False)
    rotation, translation = values[:4], values[4:]
    centre = translation
    if np.isfinite(values).all() and rotation.any():
        centre = -Rotation.from_quat(rotation, scalar_first=True).inv().apply(translation)
    # q and -q are one rotation, which the loss does not know: COLMAP writes either
    return from_quaternion(there, centre, -rotation if rotation[0] < 0 else rotation, where, data.unit)


FORMAT = Format(ColmapData, read)
