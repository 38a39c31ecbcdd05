"""Annotated poses as every reader yields them, and how problems met on the way are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Problem
from harness.errors import DataError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Pose:
    """One annotated instance."""

    file: Path
    size: tuple[int, int]
    """(width, height) of the image in pixels."""
    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) in pixels: what the model sees, and what PCK is normalised by."""
    points: np.ndarray
    """(K, 2) float32 pixels; 0 where not labelled."""
    visible: np.ndarray
    """(K,) int: 0 not labelled, 1 labelled but covered, 2 visible."""
    area: float
    """Square pixels, the scale of the object keypoint similarity."""
    image_id: int
    annotation_id: int


@dataclass
class Reading:
    """What a reader found: both splits, and everything missing or malformed. A fatal problem leaves them incomplete."""

    train: list[Pose] = field(default_factory=list)
    test: list[Pose] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sigmas: tuple[float, ...] | None = None
    """Fall-offs of the object keypoint similarity, where the format knows them."""

    def poses(self, *, train: bool) -> list[Pose]:
        """The poses of a split.

        Raises:
            DataError: a problem is fatal.
        """
        fatal = [problem for problem in self.problems if problem.fatal]
        if fatal:
            more = f" ({len(fatal) - 1} more problems)" if len(fatal) > 1 else ""
            mend = f" {fatal[0].mend[:1].upper()}{fatal[0].mend[1:]}." if fatal[0].mend else ""
            raise DataError(f"{fatal[0].where}: {fatal[0].what}.{mend}{more}")
        return self.train if train else self.test

    def finish(self) -> Reading:
        """Note a split without a usable pose."""
        if not any(problem.fatal for problem in self.problems):
            for split, poses in (("training", self.train), ("test", self.test)):
                if not poses:
                    self.problems.append(Problem(f"{split} split", "no usable annotated image", "label images, or mend the problems above"))
        return self


class Points:
    """Turns raw coordinates into a pose's points: what cannot be right is noted and not used."""

    def __init__(self, names: list[str], problems: list[Problem]):
        self.names = names
        self.problems = problems

    def clean(self, where: str, raw: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Points (K, 2) and flags (K,) from (K, 3) rows of x, y and flag; NaN coordinates are not labelled."""
        import numpy as np

        points, flags = raw[:, :2].astype(np.float32), raw[:, 2].astype(int)
        labelled = flags > 0
        finite = np.isfinite(points).all(axis=1)
        # a pixel of tolerance: tools disagree on whether a pixel's centre or its corner is a whole number
        inside = (points >= -1).all(axis=1) & (points <= np.array(size)).all(axis=1)
        for index in np.flatnonzero(labelled & ~finite):
            self._note(where, index, "has a coordinate that is no finite number")
        for index in np.flatnonzero(labelled & finite & ~inside):
            x, y = points[index]
            self._note(where, index, f"at ({x:g}, {y:g}) lies outside the image of {size[0]}x{size[1]} pixels")
        used = labelled & finite & inside
        points[~used] = 0
        return points, np.where(used, flags, 0)

    def _note(self, where: str, index: int, what: str) -> None:
        self.problems.append(Problem(where, f"point '{self.names[index]}' {what}", "correct it; until then it is not used", fatal=False))
