"""Formats that know no test split of their own."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import ClassVar

from pydantic import Field

from harness.benchmarks.camera_localization.options import SCENE_UNITS, CameraData, Unit
from harness.benchmarks.camera_localization.readers.frame import Frame, natural
from harness.benchmarks.camera_localization.readers.rigs import tell_twins, with_moments
from harness.benchmarks.camera_localization.readers.scenes import Scene
from harness.benchmarks.listed import Index, lines_in, named, parted
from harness.benchmarks.spelled import form


class HoldOutData(CameraData):
    """A share of the frames is held out, or those that a list names."""

    usual_lists: ClassVar[tuple[str, ...]] = ()
    """Names of lists of test frames that are used where they lie in a scene's folder, or beside its model."""

    root: str
    unit: Unit = SCENE_UNITS
    test: str | None = None
    """File in each scene's folder that names the frames for testing, one a line; the others are for training."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the frames, the last ones by name (2 before 10), that is held out for testing where no file names any.

    One block, not every n-th frame: neighbours of a video are almost the same image. Frames of one moment stay together where cameras
    move together, as ``left/000.png`` and ``right/000.png`` of a stereo pair.
    """


def hold_out(frames: list[Frame], scene: Scene, data: HoldOutData, model: str = ".") -> None:
    """Divide the frames of a scene: by the list of test frames where there is one, or the last ``test_share`` by name.

    Args:
        model: folder of the poses, inside the scene's.
    """
    ordered = sorted(with_moments(frames), key=lambda frame: natural(frame.image))
    list_file = data.test or _usual(scene, data.usual_lists, model)
    if list_file is None:
        moments = sorted({frame.moment or frame.image for frame in ordered}, key=natural)
        last = {*moments[len(moments) - max(1, round(data.test_share * len(moments))) :]}
        held = {frame.image for frame in ordered if (frame.moment or frame.image) in last}
    else:
        scene.sources.append(scene.root / list_file)
        held = _listed(list_file, [frame.image for frame in ordered], scene)
    scene.train += [frame for frame in ordered if frame.image not in held]
    scene.test += [frame for frame in ordered if frame.image in held]
    tell_twins(scene, list_file or ".")


def _usual(scene: Scene, names: tuple[str, ...], model: str) -> str | None:
    """The list of a usual name, nearest to the scene's folder; others that say something else are told."""
    folders = [PurePosixPath(model), *PurePosixPath(model).parents][::-1]
    there = [str(folder / name) for folder in folders for name in names if (scene.root / folder / name).is_file()]
    for other in there[1:]:
        if (scene.root / other).read_bytes().split() != (scene.root / there[0]).read_bytes().split():
            mend = f"if it is the one that is meant, write data.test: {other}; or else delete it"
            scene.add(other, f"the list says something else than {there[0]}, which is read", mend, fatal=False)
    return there[0] if there else None


def _listed(file: str, images: list[str], scene: Scene) -> set[str]:
    """The images that a list names."""
    index, held, unknown = Index(images), set(), []
    spelled: dict[str, list[str]] = {}
    for image in images:
        spelled.setdefault(_spelled(image), []).append(image)
    otherwise = Index(spelled)

    def find(line: str) -> list[str]:
        return index.exact(line) or [image for one in otherwise.exact(_spelled(line)) for image in spelled[one]]

    def known(line: str) -> bool:
        return bool(find(line))

    for line in named(lines_in(scene.root, file, scene, known), known):
        found = find(line)
        if len(found) > 1:
            scene.add(file, f"'{line}' may mean {' or '.join(found[:3])}", "write the path inside the folder of the images")
        elif found:
            held.add(found[0])
        else:
            unknown.append(line)
    if unknown:
        what = f"{len(unknown)} of the names it lists have no pose, e.g. '{unknown[0]}'"
        mend = "correct the list, or give their poses; without them the test is another"
        scene.add(file, what, parted(unknown[0], mend), fatal=not held)
    return held


def _spelled(name: str) -> str:
    """A name in one Unicode form, with its suffix in small letters: a list may spell it as the model does, and not as its file."""
    stem, suffix = os.path.splitext(form(name))
    return stem + suffix.lower()
