"""What every reader yields."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from harness.benchmarks.base import Problem

Box = tuple[float, float, float, float]
"""x0 y0 x1 y1 in pixels from the image's upper left corner; x1 and y1 lie one past the last pixel where the format says so."""


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
    crop: tuple[int, int, int, int] | None = None
    """The part of the image to take instead of the whole."""


@dataclass
class Listing:
    """A dataset as its annotation files describe it, and what is wrong with them."""

    train: list[Picture] = field(default_factory=list)
    test: list[Picture] = field(default_factory=list)
    calibration: list[Picture] | None = None
    """Where the dataset has a split of its own for choosing a threshold."""
    problems: list[Problem] = field(default_factory=list)

    def add(self, where: str, what: str, mend: str, *, fatal: bool = True) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, what, mend, fatal))

    def text(self, root: Path, name: str, mend: str) -> str | None:
        """The content of a text file; ``None`` (and a problem) if it cannot be read."""
        try:
            return (root / name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self.add(name, f"the file cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})", mend)
            return None

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
            self.add(where, f"a box is inverted: {x0:g}, {y0:g}, {x1:g}, {y1:g}", "swap its corners, or delete it")
            return None
        x0, y0 = x0 - shift, y0 - shift
        if x1 <= x0 or y1 <= y0:
            self.add(where, f"a box has no area: {x0:g}, {y0:g}, {x1:g}, {y1:g}", "correct or delete it")
            return None
        return x0, y0, x1, y1
