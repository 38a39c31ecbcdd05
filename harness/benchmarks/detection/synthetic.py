"""Generated scenes of players, gloves and coins as COCO JSON, see :mod:`harness.benchmarks.detection.teams`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.detection import teams
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers import coco
from harness.benchmarks.detection.readers.picture import Pictures
from harness.benchmarks.options import GeneratedData


class SyntheticData(GeneratedData, DetectionData):
    """Gloves whose team a distant player tells, and coins that lie half upon each other."""

    format: Literal["synthetic"]
    train: int = Field(default=400, ge=2, le=1 << 20)
    test: int = Field(default=200, ge=2, le=1 << 20)
    size: int = Field(default=96, ge=64, le=512)
    """Side of the square images in pixels."""
    seed: int = Field(default=0, ge=0)
    cue: bool = True
    """Whether the player's team is that of the gloves; without it no model can do better than guess."""
    pairs: float = Field(default=0.5, ge=0, le=1)
    """Share of the coins that lie on another one."""

    @property
    def class_count(self) -> int:
        return len(teams.CLASSES)

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size, self.size


def _read(root: Path, data: SyntheticData) -> Pictures:
    splits = {name: {"annotations": f"annotations/{name}.json", "images": name} for name in ("train", "test", "val")}
    if not data.validating:
        del splits["val"]
    return coco.read(root, coco.CocoData.model_validate({"format": "coco", "root": str(root), "classes": data.class_count, **splits}))


def _generate(data: SyntheticData, out: Path) -> None:
    counts = {"train": data.train, "test": data.test, "val": data.validating}
    teams.generate_teams(out, counts, size=data.size, seed=data.seed, cue=data.cue, pairs=data.pairs)


FORMAT = Format(SyntheticData, _read, _generate)
