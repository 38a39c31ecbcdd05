"""What is wrong with the images of a classification dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem, check_images
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import Labels


def problems(root: Path, _data: ClassificationData, listing: Labels) -> Iterator[Problem]:
    """Images that cannot be read whole."""
    yield from check_images(root, (sample.file for sample in (*listing.train, *listing.test)))
