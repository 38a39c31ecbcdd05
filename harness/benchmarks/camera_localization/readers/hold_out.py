"""Formats that know no test split of their own."""

from __future__ import annotations

from pydantic import Field

from harness.benchmarks.base import Split
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame


class HoldOutData(CameraData):
    """A share of the frames is held out."""

    root: str
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the frames, the last ones by name, that is held out for testing where the files name no split.

    One block, not every n-th frame: neighbours of a video are almost the same image.
    """

    def part(self, frames: list[Frame], split: Split) -> list[Frame]:
        """The last ``test_share`` of the frames by name for testing, the others for training."""
        ordered = sorted(frames, key=lambda frame: frame.image)
        first = len(ordered) - max(1, round(self.test_share * len(ordered)))
        return ordered[first:] if split == "test" else ordered[:first]
