"""Generated figures in COCO's layout, see :mod:`harness.benchmarks.keypoint.figures`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format
from harness.benchmarks.keypoint import figures
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers import coco
from harness.benchmarks.keypoint.readers.pose import Poses
from harness.benchmarks.options import GeneratedData


class SyntheticData(GeneratedData, KeypointData):
    """Articulated figures, see :mod:`harness.benchmarks.keypoint.figures`."""

    format: Literal["synthetic"]
    train: int = Field(default=400, ge=4, le=1 << 20)
    test: int = Field(default=200, ge=4, le=1 << 20)
    seed: int = Field(default=0, ge=0)
    mirrored: bool = True
    """Whether a limb mirrors its partner; without that a covered limb can only be guessed."""
    pair: bool = False
    """Two figures, of which a banner names the one that counts; `size` must be at least 1.4 times as wide as high."""

    @model_validator(mode="after")
    def _room_for_two(self) -> SyntheticData:
        if self.pair and self.size[0] < 1.4 * self.size[1]:
            raise ValueError("pair: two figures and a banner need room; give a size at least 1.4 times as wide as high, e.g. [88, 56]")
        return self

    @property
    def count(self) -> int:
        return len(figures.NAMES)

    @property
    def names(self) -> list[str]:
        return list(figures.NAMES)


def _read(root: Path, data: SyntheticData) -> Poses:
    val = "annotations/val.json" if data.validating else None
    return coco.read(root, coco.CocoData(format="coco", root=str(root), keypoints=data.names, box="image", val=val))


def _generate(data: SyntheticData, out: Path) -> None:
    counts = {"train": data.train, "test": data.test, "val": data.validating}
    figures.generate_figures(out, counts, size=data.size, seed=data.seed, mirrored=data.mirrored, pair=data.pair)


FORMAT = Format(SyntheticData, _read, _generate)
