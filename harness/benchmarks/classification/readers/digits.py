"""scikit-learn's handwritten digits, written as an image folder: real data on any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import SPLITS, Format, Split
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import read
from harness.benchmarks.options import GeneratedData

_MOST = 1700
"""Digits that are not for the test, at most."""


class DigitsData(GeneratedData, ClassificationData):
    """The 1797 handwritten digits (8x8) that scikit-learn ships: the UCI test set of Alpaydin and Kaynak, 1998."""

    format: Literal["digits"]
    size: int = Field(default=32, ge=8, le=1 << 15)
    train: int = Field(default=850, ge=10, le=1 << 20)
    """The first so many are for training: writers then hardly overlap."""
    val: int = Field(default=150, ge=0)
    """So many after them are for validation, all others for the test."""

    @model_validator(mode="after")
    def _leaves_a_test(self) -> DigitsData:
        if self.train + self.val > _MOST:
            raise ValueError(f"train and val together must leave some of the 1797 digits for the test: {_MOST} at most")
        return self

    @property
    def class_names(self) -> list[str]:
        return [str(digit) for digit in range(10)]

    @property
    def class_count(self) -> int:
        return 10

    @property
    def splits(self) -> dict[Split, str]:
        return {split: split for split in SPLITS if split != "val" or self.val}


def _generate(data: DigitsData, out: Path) -> None:
    """Write the digits as grey PNG files of 8x8 pixels."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)  # stored as 0..16
    for index, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        split = "train" if index < data.train else "val" if index < data.train + data.val else "test"
        folder = out / split / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:04d}.png")


FORMAT = Format(DigitsData, read, _generate)
