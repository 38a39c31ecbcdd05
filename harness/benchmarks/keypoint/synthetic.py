"""Generated figures in COCO's layout, see :mod:`harness.benchmarks.keypoint.figures`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

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
    figures.generate_figures(out, counts, size=data.size, seed=data.seed, mirrored=data.mirrored)


FORMAT = Format(SyntheticData, _read, _generate)
