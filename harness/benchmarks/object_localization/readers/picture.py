"""What every reader yields."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from harness.benchmarks.base import Listing, Problem, Split, refuse
from harness.errors import DataError
from harness.images import measure

Box = tuple[float, float, float, float]
"""x0 y0 x1 y1 in pixels from the image's upper left corner; x1 and y1 lie one past the last pixel where the format says so."""

BACKGROUND = 1
"""Label of the background crops where there is a single class, which has label 0."""

_SMALLEST_CROP = 32
"""Shorter side of a background crop, in pixels."""


def several(count: int, one: str, many: str = "") -> str:
    """``1 box``, ``2 boxes``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


@dataclass(frozen=True)
class Picture:
    """An image with its labels and boxes."""

    file: str
    """Path relative to the dataset's root."""
    labels: tuple[int, ...]
    """Classes shown, ascending; several only in a multi-label dataset."""
    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None
    """(width, height), where the annotation says."""
    source: str = ""
    """The file that holds the annotation, for messages."""
    objects: tuple[tuple[int, Box, bool], ...] = ()
    """Label and box of each, and whether it is difficult, where a detector asks for more than the classes and boxes of the image."""
    crop: tuple[int, int, int, int] | None = None
    """The part of the image to take instead of the whole."""


@dataclass
class Pictures(Listing[Picture]):
    """All annotated pictures of the splits; :meth:`split` and :meth:`calibrating` choose those that a trial can use."""

    same_twice: ClassVar[bool] = True  # CorLoc is measured on what was trained on
    single: bool = False
    """Whether there is a single class."""
    exif: bool = False
    """Whether pictures are turned as their EXIF orientation says, and with them widths and heights."""
    calibration: list[Picture] | None = None
    """Where the dataset has a split of its own for choosing a threshold."""

    def files(self) -> list[Path]:
        calibration = [file for picture in self.calibration or () for file in self.files_of(picture)]
        return [*super().files(), *calibration]

    def files_of(self, sample: Picture) -> tuple[Path, ...]:
        return (self.root / sample.file,)

    def stratum(self, sample: Picture) -> tuple[int, ...]:
        return sample.labels

    def is_scored(self, sample: Picture) -> bool:
        return bool(sample.boxes)

    def split(self, name: Split) -> list[Picture]:
        """The pictures of a split: with a label for ``train``, where a single class adds background crops; else with a box.

        Raises:
            DataError: a problem is fatal, or an image that is to be cropped cannot be read.
        """
        pictures = super().split(name)
        if name != "train":
            return [picture for picture in pictures if picture.boxes]
        if self.single:
            return [crop for picture in pictures for crop in self._with_background(picture)]
        return [picture for picture in pictures if picture.labels]

    def calibrating(self, count: int) -> list[Picture]:
        """At most ``count`` pictures, evenly spaced, that choose the threshold of CorLoc's box: of the split made for it, or the
        training split. They are test images, too, where training and test split are the same.

        Raises:
            DataError: a problem is fatal.
        """
        refuse(self.problems)
        boxed = [picture for picture in (self.train if self.calibration is None else self.calibration) if picture.boxes]
        count = min(count, len(boxed))
        return [boxed[index * len(boxed) // count] for index in range(count)]

    def measure(self, picture: Picture) -> tuple[int, int]:
        """(width, height) of a picture as a trial sees it.

        Raises:
            ValueError: it cannot be read; a clause for people.
        """
        return measure(self.root / picture.file, header_only=True, exif=self.exif)

    def finish(self) -> Pictures:
        """Note a split in which no image has a box."""
        if not any(problem.fatal for problem in self.problems):
            own = self.calibration
            boxed = {"test": self.test, **({"training": self.train} if own is None else {"calibration": own})}
            boxed |= {"validation": self.val} if self.val else {}
            for name, pictures in boxed.items():
                if not any(picture.boxes for picture in pictures):
                    self.add(f"{name} split", "no image has a box", "add annotations, or correct the split")
        return self

    def box(self, where: str, corners: list[str] | list[float], shift: float = 0.0) -> Box | None:
        """A box from x0 y0 x1 y1 as text or numbers, ``shift`` taken off the first corner; ``None`` (and a problem) if it is none."""
        try:
            x0, y0, x1, y1 = (float(value) for value in corners)
        except (TypeError, ValueError):
            self.add(where, f"a box is not four numbers: {', '.join(map(str, corners))}", "write x0, y0, x1, y1")
            return None
        if not all(map(math.isfinite, (x0, y0, x1, y1))):
            self.add(where, f"a box is not finite: {x0:g}, {y0:g}, {x1:g}, {y1:g}", "write x0, y0, x1, y1 in pixels")
            return None
        if x1 < x0 or y1 < y0:
            mend = "swap its corners, or delete it; where they are a corner, width and height, write two corners"
            self.add(where, f"a box is inverted: {x0:g}, {y0:g}, {x1:g}, {y1:g}", mend)
            return None
        x0, y0 = x0 - shift, y0 - shift
        if x1 <= x0 or y1 <= y0:
            self.add(where, f"a box has no area: {x0:g}, {y0:g}, {x1:g}, {y1:g}", "correct or delete it")
            return None
        return x0, y0, x1, y1

    def _with_background(self, picture: Picture) -> list[Picture]:
        """Image labels of a single class say nothing, so what lies beside the objects of the training images is the other class."""
        if not picture.labels:
            return [replace(picture, labels=(BACKGROUND,))]
        if not picture.boxes:
            return [picture]
        try:
            width, height = self.measure(picture)
        except ValueError as reason:
            raise DataError(Problem.unread(picture.file, reason).sentences) from None
        x0, y0 = (int(min(box[side] for box in picture.boxes)) for side in (0, 1))
        x1, y1 = (int(max(box[side] for box in picture.boxes)) + 1 for side in (2, 3))
        strips = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
        strip = max(strips, key=lambda s: min(s[2] - s[0], s[3] - s[1]))
        if min(strip[2] - strip[0], strip[3] - strip[1]) < _SMALLEST_CROP:
            return [picture]
        return [picture, replace(picture, labels=(BACKGROUND,), boxes=(), crop=strip)]
