"""What every reader yields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import NAMES, NEEDED, SPLITS, Listing, relative
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.tally import MOST, Tally
from harness.images import orientation

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels."""

_LARGE = 16
"""Pixels of a side beyond which not all points of an instance lie in the image's first pixel."""
_BEYOND = 0.3
"""Share of points beyond the right or lower edge that only another scale explains."""
_PERCENT, _FEW = 100, 10
"""Points that all lie within so many pixels, of so many instances or more in images twice as large, may be percentages."""
_MARGIN = 0.1
"""What a box around points has beyond them on each side, as a share of their longer extent."""


@dataclass(frozen=True)
class Pose:
    """One annotated instance."""

    file: Path
    size: tuple[int, int]
    """(width, height) of the image in pixels, as the model sees it."""
    box: Box
    """What the model sees, and what PCK is normalised by."""
    points: np.ndarray
    """(K, 2) float32 pixels; 0 where not labelled."""
    visible: np.ndarray
    """(K,) int: 0 not labelled, 1 labelled but covered, 2 visible."""
    area: float
    """Square pixels, the scale of the object keypoint similarity."""
    image_id: int
    """Counts the images of a split from 1; a validation split that is held out keeps the numbers of training."""
    annotation_id: int
    """Counts the poses as ``image_id`` does the images: COCO's evaluation takes an annotation with id 0 for one that is not there."""
    head: float | None = None
    """Length of the head in pixels, where the dataset measures it (MPII)."""


@dataclass
class Poses(Listing[Pose]):
    """The poses of the splits in their order."""

    names: list[str] = field(default_factory=list)
    """Names of the points, in the order of the poses'."""
    sigmas: tuple[float, ...] | None = None
    """Fall-offs of the object keypoint similarity, where the format knows them."""

    def files_of(self, sample: Pose) -> tuple[Path, ...]:
        return (sample.file,)

    def finish(self, data: KeypointData, one_each: str = "", *, val: bool = False) -> Poses:
        """Note a split without a usable pose, and images with several where the model sees whole images.

        Args:
            one_each: how to mend the latter.
            val: whether the dataset names a validation split.
        """
        self._leave_out_far()
        if data.whole_image:
            counts = Counter(pose.file for split in SPLITS for pose in self.of(split))
            several = [file for file, count in counts.items() if count > 1]
            if several:
                example = f"{relative(several[0], self.root)} ({counts[several[0]]})"
                what = f"{len(several)} of {len(counts)} images hold several instances, e.g. {example}: the model would see one picture"
                self.add("data.box", f"{what} with several targets", one_each)
        self.left_out = +self.left_out
        if not any(problem.fatal for problem in self.problems):
            for split in SPLITS if val else NEEDED:
                if not self.of(split):
                    self.add(f"{NAMES[split]} split", "no usable annotated image", "label images, or mend the problems above")
        return self

    def _leave_out_far(self) -> None:
        """No annotation of an image is that far from it: a number in the file is damaged."""
        for split in SPLITS:
            poses = self.of(split)
            far = {id(pose) for pose in poses if _is_far(pose)}
            if not far:
                continue
            first = next(pose for pose in poses if id(pose) in far)
            poses[:] = [pose for pose in poses if id(pose) not in far]
            example = relative(first.file, self.root)
            what = f"{len(far)} {NAMES[split]} figures lie more than {_FAR} images away from theirs, e.g. in {example}"

            self.add("annotations", f"{what}: they are left out", "correct them, or fetch the file again", fatal=False)


_FAR = 100
"""Times the longer side of an image."""


def _is_far(pose: Pose) -> bool:
    most = _FAR * max(pose.size)
    numbers = [*pose.box, *pose.points[pose.visible > 0].ravel().tolist()]
    return not all(abs(number) <= most for number in numbers)


def whole(size: tuple[int, int]) -> Box:
    """The box of a whole image."""
    return 0.0, 0.0, float(size[0]), float(size[1])


def box_around(points: np.ndarray, visible: np.ndarray, size: tuple[int, int]) -> Box | None:
    """The box of the labelled points with a margin of a tenth of their longer extent; ``None`` where they do not span one."""
    labelled = points[visible > 0].astype(float)
    if len(labelled) < 2:
        return None
    low, high = labelled.min(axis=0), labelled.max(axis=0)
    extent = (high - low).max()
    (x0, y0), (x1, y1) = low - _MARGIN * extent, high + _MARGIN * extent
    x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, size[0] - 1.0), min(y1, size[1] - 1.0)
    return (float(x0), float(y0), float(x1), float(y1)) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


@dataclass
class Cleaner:
    """Takes what can be right of the points of one file, and counts what cannot."""

    listing: Poses
    where: str
    names: list[str]

    def __post_init__(self) -> None:
        self.points, self.poses = Tally(self.listing, self.where), Tally(self.listing, self.where)
        self.labelled = self.count = 0
        self.farthest: float = 0
        self.smallest = 1 << 30

    def clean(self, place: str, raw: np.ndarray, file: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Points (K, 2) and flags (K,) from (K, 3) rows of x, y and flag; ``None`` where nothing is left.

        NaN coordinates of a point whose flag is 0 are no problem.

        Args:
            place: where in the file, for messages.
        """
        import numpy as np

        points, flags = raw[:, :2].astype(np.float32), raw[:, 2].astype(int)
        labelled = flags > 0
        self.labelled += int(labelled.sum())
        self.count += 1
        finite = np.isfinite(points).all(axis=1)
        # a pixel of tolerance: tools disagree on whether a pixel's centre or its corner is a whole number
        inside = (points >= -1).all(axis=1) & (points <= np.array(size)).all(axis=1)
        for index in np.flatnonzero(labelled & ~finite):
            kind = "points with a coordinate that is no finite number"
            self.points.leave_out(kind, f"'{self.names[index]}' in {place}", "correct them, or flag them as not labelled")
        for index in np.flatnonzero(labelled & finite & ~inside):
            x, y = points[index]
            example = f"'{self.names[index]}' at ({x:g}, {y:g}) in {place}, outside the image of {size[0]}x{size[1]} pixels"
            beyond = x > size[0] or y > size[1]
            kind = "points beyond the right or lower edge of their image" if beyond else "points left of their image or above it"
            self.points.leave_out(kind, example, self._scale(file), _BEYOND if beyond else MOST)
        used = labelled & finite & inside
        points[~used] = 0
        if not used.any():
            return None
        there = points[used]
        self.farthest, self.smallest = max(self.farthest, float(there.max())), min(self.smallest, *size)
        if min(size) > _LARGE and (there >= 0).all() and (there <= 1).all() and (there % 1 != 0).any():
            mend = "give pixels: multiply x by the image's width and y by its height, boxes too"
            self.poses.leave_out("instances whose points are fractions of the image", place, mend, MOST)
            return None
        return points, np.where(used, flags, 0)

    def _scale(self, file: Path) -> str:
        if orientation(file) != 1:
            return "the image carries an EXIF orientation: write data.exif: apply if it was annotated as it is shown"
        return "correct them, or annotate images of this size"

    def tell(self) -> None:
        """Note what was counted."""
        if self.count >= _FEW and _PERCENT / 2 < self.farthest <= _PERCENT < self.smallest / 2:
            what = f"all points lie within the upper left {_PERCENT} pixels of images of {self.smallest} and more"
            self.listing.add(self.where, what, "if they are percentages of the image, give pixels", fatal=False)
        self.points.tell(self.labelled)
        self.poses.tell(self.count)
