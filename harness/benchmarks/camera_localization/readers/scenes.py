"""Reads every scene of a dataset, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from harness.benchmarks.base import SPLITS, Problem, Split
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame, Frames

D = TypeVar("D", bound=CameraData)


def over_scenes(root: Path, data: D, read: Callable[[Path, Split, D], Iterable[Frame | Problem | Path]]) -> Frames:
    """The frames of both splits, scene after scene, and everything that is wrong with them. Images are not opened.

    Args:
        read: yields the frames of one scene's folder and split, or what is wrong with them, and the path of each file that it
            opens. Names of images and places of problems are relative to that folder.
    """
    listing = Frames()
    for index, folder in enumerate(data.scenes):
        if not (root / folder).is_dir():
            listing.add(folder, "the scene's folder is missing", "put it there or take it out of data.scenes")
            continue
        for split, frames in zip(SPLITS, (listing.train, listing.test), strict=True):
            found = list(read(root / folder, split, data))
            mine = [replace(x, image=_inside(folder, x.image), scene=index) for x in found if isinstance(x, Frame)]
            wrong = [replace(x, where=_inside(folder, x.where)) for x in found if isinstance(x, Problem)]
            frames += mine
            listing.problems += wrong
            listing.sources += [x for x in found if isinstance(x, Path)]
            counts = data.counts.get(folder)
            expected = counts[SPLITS.index(split)] if counts else len(mine)
            if len(mine) != expected:
                listing.add(folder, f"{len(mine)} usable {split} frames, the protocol has {expected}", "fetch the scene again")
            elif not mine and not any(problem.fatal for problem in wrong):
                listing.add(folder, f"no {split} frames", "list sequences that hold frames in the split file")
    listing.problems = list(dict.fromkeys(listing.problems))  # a file that lists both splits was read for each
    return listing


def _inside(folder: str, name: str) -> str:
    """A name in a scene's folder, seen from the dataset's root."""
    return f"{folder}/{name}".removeprefix("./")
