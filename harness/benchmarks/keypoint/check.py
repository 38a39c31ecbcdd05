"""What is wrong with the images of a keypoint dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.pose import Poses


def problems(root: Path, _data: KeypointData, listing: Poses) -> Iterator[Problem]:
    """Nothing beyond what is looked at in every dataset and by the reader."""
    yield from ()
