"""What a benchmark of any family may say about cluttered scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from harness.benchmarks import scenes
from harness.benchmarks.options import GeneratedData, later

Count = Annotated[int, Field(ge=0, le=1 << 10)]
Share = Annotated[float, Field(gt=0, le=1)]


class ScenesData(GeneratedData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    size: int = Field(default=64, ge=8, le=1 << 15)
    train: int = Field(ge=8, le=1 << 20)
    """Number of training images."""
    test: int = Field(ge=8, le=1 << 20)
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    distractors: tuple[Count, Count] = scenes.DISTRACTORS
    """Fewest and most other objects of a scene, where there is room for them; no more than there are other classes."""
    side: tuple[Share, Share] = scenes.SIDE
    """Smallest and largest side of an object, as a share of the image's."""
    cue: bool = True
    """Whether the ring that marks the target is drawn; without it nothing tells the target from the others."""
    clutter: float = later(1.0, ge=0, le=2)
    """Times the strength of the background's colours. With much of it, each image is known by its background."""
    extent: float = later(scenes.EXTENT, gt=0, le=1)
    """Side of what is drawn, as a share of the object's box; 1 leaves no room for a ring around it."""

    @model_validator(mode="after")
    def _in_order(self) -> ScenesData:
        for name, (least, most) in (("distractors", self.distractors), ("side", self.side)):
            if least > most:
                raise ValueError(f"{name}: the first is the least; write [{most}, {least}]")
        return self

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
            clutter=self.clutter,
            extent=self.extent,
        )
