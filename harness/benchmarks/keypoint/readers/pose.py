"""What every reader yields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Listing

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
class Poses(Listing[Pose]):
    """The poses of both splits in their order."""

    sigmas: tuple[float, ...] | None = None
    """Fall-offs of the object keypoint similarity, where the format knows them."""

    def files_of(self, sample: Pose) -> tuple[Path, ...]:
        return (sample.file,)

    def finish(self) -> Poses:
        """Note a split without a usable pose."""
        if not any(problem.fatal for problem in self.problems):
            for split, poses in (("training", self.train), ("test", self.test)):
                if not poses:
                    self.add(f"{split} split", "no usable annotated image", "label images, or mend the problems above")
        return self

    def clean(self, where: str, raw: np.ndarray, size: tuple[int, int], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Points (K, 2) and flags (K,) from (K, 3) rows of x, y and flag; what cannot be right is noted and not used.

        NaN coordinates of a point whose flag is 0 are no problem.
        """
        import numpy as np

        points, flags = raw[:, :2].astype(np.float32), raw[:, 2].astype(int)
        labelled = flags > 0
        finite = np.isfinite(points).all(axis=1)
        # a pixel of tolerance: tools disagree on whether a pixel's centre or its corner is a whole number
        inside = (points >= -1).all(axis=1) & (points <= np.array(size)).all(axis=1)
        wrong = {index: "has a coordinate that is no finite number" for index in np.flatnonzero(labelled & ~finite)}
        for index in np.flatnonzero(labelled & finite & ~inside):
            x, y = points[index]
            wrong[index] = f"at ({x:g}, {y:g}) lies outside the image of {size[0]}x{size[1]} pixels"
        for index, what in wrong.items():
            self.add(where, f"point '{names[index]}' {what}", "correct it; until then it is not used", fatal=False)
        used = labelled & finite & inside
        points[~used] = 0
        return points, np.where(used, flags, 0)
