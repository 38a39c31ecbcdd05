"""Reads every scene of a dataset, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeVar

from harness.benchmarks.base import NEEDED, SPLITS, Listing, Problem, Split
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames, Lost
from harness.benchmarks.listed import bare
from harness.benchmarks.spelled import Spelled
from harness.images import SUFFIXES

D = TypeVar("D", bound=CameraData)

_PURPOSES: dict[Split, str] = {"train": "training", "val": "validation", "test": "testing"}


@dataclass
class Scene(Listing[Frame]):
    """What a format finds in the folder of one scene, ``root``; names of images and places of problems are relative to it."""

    @cached_property
    def _there(self) -> Spelled:
        return Spelled(self.root)

    def find(self, image: str) -> str | None:
        """The image of a name as it is spelled here; ``None`` where there is none."""
        if os.path.isfile(self.root / image):
            return image
        file = self._there.file(image)
        return file.relative_to(self.root).as_posix() if file and file.is_relative_to(self.root) else None

    def missing(self, image: str) -> str:
        """That there is no such image, and which one of its name but for the suffix there is."""
        other = self._there.file(bare(image), SUFFIXES)
        return f"the image {image} is missing" + (f", while {other.name} lies there" if other else "")

    def place(self, split: Split, found: Iterable[Frame | Problem]) -> None:
        """Add the frames of a split, and what is wrong with others."""
        found = [*found]
        self.of(split).extend(x for x in found if isinstance(x, Frame))
        self.problems += (x for x in found if isinstance(x, Problem))


def over_scenes(root: Path, data: D, read: Callable[[Scene, D], None]) -> Frames:
    """The frames of the splits, scene after scene, and everything that is wrong with them. Images are not opened.

    Args:
        read: adds to a scene what lies in its folder.
    """
    listing = Frames(root=root)
    for index, folder in enumerate(data.scenes):
        if not (root / folder).is_dir():
            listing.add(folder, "the scene's folder is missing", "put it there or take it out of data.scenes")
            continue
        scene = Scene(root=root / folder)
        read(scene, data)
        _leave_lost(scene, data)
        for split in SPLITS:
            _count_once(split, scene.of(split), scene)
            for frame in scene.of(split):
                moment = frame.moment and _inside(folder, frame.moment)
                listing.of(split).append(replace(frame, image=_inside(folder, frame.image), scene=index, moment=moment))
        for split in NEEDED:
            _expect(split, len(scene.of(split)), folder, data, scene)
        listing.problems += [replace(problem, where=_inside(folder, problem.where)) for problem in scene.problems]
        listing.sources += scene.sources
        listing.left_out += scene.left_out
    for one, other in combinations(SPLITS, 2):
        both = {frame.image for frame in listing.of(one)} & {frame.image for frame in listing.of(other)}
        if both:
            what = f"{len(both)} frames are for {_PURPOSES[one]} and for {_PURPOSES[other]}, e.g. {min(both)}"
            listing.add("splits", what, "take them out of one of the two")
    listing.problems = list(dict.fromkeys(listing.problems))  # what both splits read is told once
    return listing


def _leave_lost(scene: Scene, data: CameraData) -> None:
    """Where it is asked for, make one warning of all frames without a pose."""
    lost = [problem for problem in scene.problems if isinstance(problem, Lost)]
    if lost and data.skip_lost:
        scene.problems = [problem for problem in scene.problems if not isinstance(problem, Lost)]
        what = f"{len(lost)} frames have no pose and are left out, e.g. {lost[0].where}: {lost[0].what}"
        scene.add(".", what, "write data.skip_lost: false to be told each", fatal=False)


def _count_once(split: Split, frames: list[Frame], scene: Scene) -> None:
    """Keep the first of equal frames; of those with different poses none can be trusted."""
    first: dict[str, Frame] = {}
    for frame in frames:
        known = first.setdefault(frame.image, frame)
        if known is frame:
            continue
        if (known.position == frame.position).all() and (known.quaternion == frame.quaternion).all():
            scene.add(frame.image, f"the frame is listed twice for {split}; it counts once", "delete one of the two", fatal=False)
        else:
            scene.add(frame.image, f"the frame is listed twice for {split}, with different poses", "delete the wrong one")
    frames[:] = first.values()


def _expect(split: Literal["train", "test"], count: int, folder: str, data: CameraData, scene: Scene) -> None:
    """Note a split that is empty, or not as large as the protocol says."""
    counts = data.counts.get(folder)
    expected = counts[NEEDED.index(split)] if counts else count
    if count != expected:
        scene.add(".", f"{count} usable {split} frames, the protocol has {expected}", "fetch the scene again")
    elif not count and not any(problem.fatal for problem in scene.problems):
        scene.add(".", f"no {split} frames", "give it frames: see its split file or data.test")


def _inside(folder: str, name: str) -> str:
    """A name in a scene's folder, seen from the dataset's root."""
    return folder if name == "." else f"{folder}/{name}".removeprefix("./")
