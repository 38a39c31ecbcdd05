"""What is wrong with the frames of a camera-localization dataset beyond their poses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Listing, Problem
from harness.benchmarks.camera_localization.options import CameraData
from harness.benchmarks.camera_localization.readers.frame import Frame


def problems(root: Path, _data: CameraData, listing: Listing[Frame]) -> Iterator[Problem]:
    """Frames used twice."""
    seen: dict[str, str] = {}
    for split, frames in (("train", listing.train), ("test", listing.test)):
        for frame in frames:
            if frame.image not in seen:
                seen[frame.image] = split
            elif seen[frame.image] == split:
                yield Problem(frame.image, f"the frame is listed twice for {split}", "delete one of the two", fatal=False)
