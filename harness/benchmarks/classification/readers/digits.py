"""scikit-learn's handwritten digits, written as an image folder: real data on any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import read


class DigitsData(ClassificationData):
    """The 1797 handwritten digits (8x8) that scikit-learn ships: the UCI test set of Alpaydin and Kaynak, 1998."""

    format: Literal["digits"]
    size: int = Field(default=32, ge=8)
    train: int = Field(default=1000, ge=10, le=1700)
    """The first so many are for training, all others for the test: writers then hardly overlap."""

    @property
    def class_names(self) -> list[str]:
        return [str(digit) for digit in range(10)]

    @property
    def class_count(self) -> int:
        return 10


def _generate(data: DigitsData, out: Path) -> None:
    """Write the digits as grey PNG files of 8x8 pixels."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)  # stored as 0..16
    for index, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        folder = out / ("train" if index < data.train else "test") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:04d}.png")


FORMAT = Format(DigitsData, read, _generate)
