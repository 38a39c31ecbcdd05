"""What a benchmark of any family may say about cluttered scenes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from harness.benchmarks import scenes
from harness.benchmarks.options import GeneratedData


class ScenesData(GeneratedData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    size: int = Field(default=64, ge=8)
    train: int = Field(ge=8)
    """Number of training images."""
    test: int = Field(ge=8)
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    distractors: tuple[int, int] = scenes.DISTRACTORS
    """Fewest and most other objects of a scene, where there is room for them; no more than there are other classes."""
    side: tuple[float, float] = scenes.SIDE
    """Smallest and largest side of an object, as a share of the image's."""
    cue: bool = True
    """Whether the ring that marks the target is drawn; without it nothing tells the target from the others."""

    @property
    def class_names(self) -> list[str]:
        """Names in label order."""
        return list(scenes.CLASSES[: self.classes])

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return self.classes

    def generate(self, out: Path) -> None:
        """Write the dataset into the folder ``out``."""
        scenes.generate_scenes(
            out,
            {"train": self.train, "test": self.test, "val": self.validating},
            size=self.size,
            classes=self.classes,
            seed=self.seed,
            distractors=self.distractors,
            side=self.side,
            cue=self.cue,
        )
