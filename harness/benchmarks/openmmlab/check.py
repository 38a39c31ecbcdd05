"""What is wrong with the data of somebody's config, as far as its files tell it without the config's own classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.openmmlab import labels, maps, truth
from harness.benchmarks.openmmlab.options import OpenMMLabData
from harness.benchmarks.openmmlab.readers.config import Files, placed
from harness.benchmarks.openmmlab.sources import Annotations, sources


def problems(root: Path, data: OpenMMLabData, _listing: Files) -> Iterator[Problem]:
    """Labels that mean another class in another split or none, images of two splits, and truth of other images.

    The reader names missing files.
    """
    config, annotations = placed(data.config, root), Annotations()
    found = sources(config)
    yield from labels.as_text(found)
    yield from labels.of_folders(found)
    yield from labels.of_files(config, found, annotations)
    yield from labels.of_pixels(found)
    yield from maps.problems(config, found)
    yield from truth.scored(config, found, annotations)
    yield from truth.shared(found, annotations)
