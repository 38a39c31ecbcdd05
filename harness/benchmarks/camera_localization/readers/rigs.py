"""Cameras of a rig, such as a stereo pair: frames of the same number that several of them took at the same moment.

``left/000.png`` and ``right/000.png`` are such frames, or ``left_000.png`` and ``right_000.png``, if the one camera moves with the
other. Two sequences of a scene count their frames alike, too, but lie apart: these are no rig.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.benchmarks.camera_localization.readers.frame import Frame, natural
from harness.benchmarks.camera_localization.readers.scenes import Scene

if TYPE_CHECKING:
    import numpy as np

_FEW = 4
"""Shared moments from which on paths are compared."""
_SHARED, _RIGID = 0.5, 0.1
"""Share of a camera's moments that the other must have, and of its path's extent within which the other keeps its place beside it."""

_View = tuple[str, str, str]
"""Folder of a camera's frames and what stands in their names before the number and after."""


def with_moments(frames: list[Frame]) -> list[Frame]:
    """The frames; those of a rig say which were taken together, by the name of its first camera's."""
    views: dict[_View, dict[str, Frame]] = defaultdict(dict)
    for frame in sorted(frames, key=lambda frame: natural(frame.image)):
        view, number = _parted(frame.image)
        views[view].setdefault(number, frame)
    leaders: list[_View] = []
    moments: dict[str, str] = {}
    for view, mine in views.items():
        first = next((one for one in leaders if _move_together(views[one], mine)), None)
        if first is None:
            leaders.append(view)
            continue
        folder, before, after = first
        for number, frame in mine.items():
            # where the first camera lacks the frame, the others share the name that it would have, at its place in the order
            lacking = str(PurePosixPath(folder, f"{before}{number}{after}{PurePosixPath(frame.image).suffix}"))
            moment = views[first][number].image if number in views[first] else lacking
            moments |= {frame.image: moment, moment: moment}
    return [replace(frame, moment=moments.get(frame.image, "")) for frame in frames] if moments else frames


def tell_twins(scene: Scene, where: str) -> None:
    """Note test frames of whose moment another one is for training: their poses are nearly known."""
    learnt = {frame.moment: frame.image for frame in scene.train if frame.moment}
    if twins := [frame for frame in scene.test if frame.moment in learnt]:
        example = f"{twins[0].image} and {learnt[twins[0].moment]}"
        what = f"{len(twins)} of {len(scene.test)} test frames were taken together with a training frame by a rig, e.g. {example}"
        scene.add(where, what, "put all frames of a moment into one split; errors are far too small otherwise", fatal=False)


def _parted(image: str) -> tuple[_View, str]:
    """The view of a frame, and its number there: the last one of the name, or else the name."""
    path = PurePosixPath(image)
    found = re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem)
    before, number, after = found.groups() if found else ("", path.stem, "")
    return (str(path.parent), before, after), number


def _move_together(one: dict[str, Frame], other: dict[str, Frame]) -> bool:
    """Whether the other camera is mostly at the same place beside the one, seen from it, while that moves."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    shared = [number for number in one if number in other]
    if len(shared) < max(_FEW, _SHARED * min(len(one), len(other))):
        return False
    centres, beside = (np.array([view[number].position for number in shared]) for view in (one, other))
    towards = Rotation.from_quat([one[number].quaternion for number in shared], scalar_first=True).inv().apply(beside - centres)
    return _extent(towards) < _RIGID * _extent(centres)


def _extent(points: np.ndarray) -> float:
    """Median distance from their middle, which a few lost poses do not move."""
    import numpy as np

    return float(np.median(np.linalg.norm(points - np.median(points, axis=0), axis=1)))
