"""Label maps that were resized with interpolation: between two classes stands a seam of the classes whose numbers lie between theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_SHARE = 0.08
"""Of the edges that are seams, above which they were made by interpolation. CamVid's own maps have 0.005 and by nearest neighbour, a tenth
to one and a half times as large, at most 0.04; interpolated ones have 0.12 and more, whoever resizes them."""

_FEWEST = 50
"""Seams that say anything."""


@dataclass
class Seams:
    """What all label maps have at the edges between classes whose numbers differ by 2 or more."""

    edges: int = 0
    """Pixels between two such classes, in a row or in a column."""
    seams: int = 0
    """Those of a class in between."""
    most: tuple[int, Path | None] = (0, None)
    """As many of them has the map that has most."""

    def add(self, labels: np.ndarray, ignore: int, file: Path) -> None:
        """Count those of a label map (H, W) uint8."""
        import numpy as np

        seams = 0
        for one, middle, other in (
            (labels[:, :-2], labels[:, 1:-1], labels[:, 2:]),
            (labels[:-2], labels[1:-1], labels[2:]),
        ):
            differ = one != other
            if not differ.any():
                continue
            ends, between = np.sort([one[differ], other[differ]], axis=0).astype(int), middle[differ]
            low, high = ends
            apart = (high - low > 1) & (low != ignore) & (high != ignore) & (between != ignore)
            self.edges += int(apart.sum())
            seams += int((apart & (low < between) & (between < high)).sum())
        self.seams += seams
        self.most = max(self.most, (seams, file), key=lambda most: most[0])

    @property
    def interpolated(self) -> bool:
        """Whether there are more seams than drawn maps have."""
        return self.seams >= _FEWEST and self.seams > _SHARE * self.edges
