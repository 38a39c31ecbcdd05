"""Cluttered scenes as an image folder, see :mod:`harness.benchmarks.scenes`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks import scenes
from harness.benchmarks.base import SPLITS, Format, Split
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import read
from harness.benchmarks.options import GeneratedData


class SyntheticData(GeneratedData, ClassificationData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    format: Literal["synthetic"]
    train: int = Field(default=600, ge=8)
    test: int = Field(default=300, ge=8)
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    distractors: tuple[int, int] = scenes.DISTRACTORS
    """Fewest and most other objects of a scene, where there is room for them; no more than there are other classes."""
    side: tuple[float, float] = scenes.SIDE
    """Smallest and largest side of an object, as a share of the image's."""
    cue: bool = True
    """Whether the ring that marks the target is drawn; without it the task cannot be solved."""

    @property
    def class_names(self) -> list[str]:
        return list(scenes.CLASSES[: self.classes])

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def splits(self) -> dict[Split, str]:
        return {split: split for split in SPLITS if split != "val" or self.validating}


def _generate(data: SyntheticData, out: Path) -> None:
    scenes.generate_scenes(
        out,
        {"train": data.train, "test": data.test, "val": data.validating},
        size=data.size,
        classes=data.classes,
        seed=data.seed,
        distractors=data.distractors,
        side=data.side,
        cue=data.cue,
    )


FORMAT = Format(SyntheticData, read, _generate)
