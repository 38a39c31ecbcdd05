"""What is wrong with the images of a keypoint dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem, check_images
from harness.benchmarks.keypoint.options import KeypointData
from harness.benchmarks.keypoint.readers.pose import Poses


def problems(root: Path, _data: KeypointData, listing: Poses) -> Iterator[Problem]:
    """Images that cannot be read whole, and images in both splits."""
    train, test = ({pose.file for pose in poses} for poses in (listing.train, listing.test))
    yield from check_images(root, sorted(train | test))
    if shared := train & test:
        what = f"{len(shared)} images are in the training and in the test split, e.g. {min(shared).name}"
        yield Problem("splits", what, "take them out of one of the two")
