"""Images with their labels, as every reader yields them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Listing
from harness.benchmarks.segmentation.readers.labels import Labels, counted

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Pair:
    """An image and its label map."""

    name: str
    image: Path
    label: Path

    def __deepcopy__(self, _memo: object) -> Pair:
        return self  # nobody changes it, and mmengine copies all that it knows of a sample whenever that is asked for

    def read(self, labels: Labels) -> np.ndarray:
        """The label map (H, W) uint8.

        Raises:
            DataError: it cannot be read, or holds values that mean nothing.
        """
        return labels.read(self.label)


@dataclass
class Pairs(Listing[Pair]):
    """The pairs of both splits, existing or not."""

    labels: Labels = field(default_factory=lambda: counted((), 255))
    """How the label maps are read, with the names of the classes."""

    def files_of(self, sample: Pair) -> tuple[Path, ...]:
        return sample.image, sample.label

    @property
    def classes(self) -> list[str]:
        """Names in label order."""
        return list(self.labels.classes)
