"""Cluttered scenes as an image folder, see :mod:`harness.benchmarks.scenes`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.benchmarks.base import SPLITS, Format, Split
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import read
from harness.benchmarks.scene_options import ScenesData


class SyntheticData(ScenesData, ClassificationData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    format: Literal["synthetic"]
    train: int = Field(default=600, ge=8, le=1 << 20)
    test: int = Field(default=300, ge=8, le=1 << 20)

    @property
    def splits(self) -> dict[Split, str]:
        return {split: split for split in SPLITS if split != "val" or self.validating}


FORMAT = Format(SyntheticData, read, SyntheticData.generate)
