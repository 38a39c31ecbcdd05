"""What is wrong with the data of somebody's config: only its own datasets know, so nothing beyond files that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem
from harness.benchmarks.openmmlab.options import OpenMMLabData
from harness.benchmarks.openmmlab.readers.config import Files


def problems(_root: Path, _data: OpenMMLabData, _listing: Files) -> Iterator[Problem]:
    """None: the reader names the files that are missing."""
    return iter(())
