"""Images with their label maps, as every reader yields them, and how both are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmarks.base import Listing
from harness.errors import DataError

if TYPE_CHECKING:
    import numpy as np

LABEL_MODES = ("L", "P", "1")
"""Pillow modes whose pixels are 8-bit labels."""


@dataclass(frozen=True)
class Pair:
    """An image and its label map."""

    name: str
    image: Path
    label: Path


@dataclass
class Pairs(Listing[Pair]):
    """The pairs of both splits, existing or not."""

    classes: list[str] = field(default_factory=list)
    """Names in label order."""

    def files_of(self, sample: Pair) -> tuple[Path, ...]:
        return sample.image, sample.label


def read_label(file: Path, reduce_zero_label: bool = False) -> np.ndarray:
    """The label map (H, W) uint8; with ``reduce_zero_label`` classes count from 0 and former zeros are 255.

    Raises:
        DataError: not an 8-bit single-channel image, or unreadable.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            mode = image.mode
            labels = np.asarray(image).astype(np.uint8)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the label map {file}: {error}. Write it again as an 8-bit PNG.") from error
    if mode not in LABEL_MODES:
        raise DataError(f"the label map {file} is of mode {mode}. Label maps are 8-bit single-channel images of class numbers.")
    if reduce_zero_label:
        # uint8 wraps 0 to 255; what was 255 stays so
        labels = np.where(labels == 255, 255, labels - np.uint8(1))
    return labels
