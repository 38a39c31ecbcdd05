"""What is wrong with the data of somebody's config, as far as its files tell it without the config's own classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.benchmarks.base import Problem
from harness.benchmarks.openmmlab import labels, maps, truth
from harness.benchmarks.openmmlab.options import OpenMMLabData
from harness.benchmarks.openmmlab.readers.config import Files, placed
from harness.benchmarks.openmmlab.sources import Annotations, sources


def problems(root: Path, data: OpenMMLabData, _listing: Files) -> Iterator[Problem]:
    """Labels that mean another class in another split or none, images of two splits, and truth of other images.

    The reader names missing files.
    """
    try:
        yield from _problems(placed(data.config, root))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:  # a config may say anything anywhere
        what = f"whether labels and images fit each other could not be looked at ({type(error).__name__}: {error})"
        yield Problem("config", what, "write options of datasets as their classes have them, if they are not", fatal=False)


def _problems(config: dict[str, Any]) -> Iterator[Problem]:
    found, annotations = sources(config), Annotations()
    yield from labels.as_text(found)
    yield from labels.of_folders(found)
    yield from labels.of_lists(found)
    yield from labels.of_files(config, found, annotations)
    yield from labels.of_pixels(found)
    yield from maps.problems(config, found)
    yield from truth.scored(config, found, annotations)
    yield from truth.shared(found, annotations)
