"""Generated rooms in the 7-Scenes layout, see :mod:`harness.benchmarks.camera_localization.rooms`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.seven_scenes import read
from harness.benchmarks.options import GeneratedData, Length


class SyntheticData(GeneratedData, CameraData):
    """Generated rooms, written in the 7-Scenes layout."""

    format: Literal["synthetic"]
    rooms: int = Field(default=3, ge=1, le=16)
    train: int = Field(default=120, ge=2, le=1 << 20)
    """Training frames per room."""
    test: int = Field(default=50, ge=2, le=1 << 20)
    """Test frames per room."""
    val: int | None = Field(default=None, ge=0, le=1 << 20)
    """Validation frames per room; half as many as for the test by default."""
    size: int = Field(default=64, ge=32, le=512)
    """Side of the square images in pixels."""
    posters: int = Field(default=5, ge=0, le=8)
    """Posters per wall; without them a control: only corners and shading tell the pose."""
    scenes: list[str] = Field(default=[])
    resize: tuple[Length, Length] | Length = 64
    crop: Length | None = None

    @model_validator(mode="before")
    @classmethod
    def _follow(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        rooms, size = given.get("rooms", 3), given.get("size", 64)
        if isinstance(rooms, int):
            given = {"scenes": [f"room-{index + 1}" for index in range(min(rooms, 16))], **given}
        return {"resize": (size, size), **given} if isinstance(size, int) else given


def _generate(data: SyntheticData, out: Path) -> None:
    from harness.benchmarks.camera_localization import rooms

    counts = {"train": data.train, "test": data.test, "val": data.validating}
    rooms.write(out, data.scenes, counts, size=data.size, posters=data.posters)


FORMAT = Format(SyntheticData, read, _generate)
