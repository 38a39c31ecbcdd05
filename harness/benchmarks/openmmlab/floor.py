"""The trivial predictor of somebody's config: the most frequent class, where the toolbox's datasets tell classes."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.openmmlab.options import OpenMMLabData
from harness.benchmarks.openmmlab.readers.config import Files


def floor(root: Path, data: OpenMMLabData, _listing: Files) -> dict[str, float]:
    """Scores of the class that most training images (mmpretrain) or pixels (mmseg) have; empty for other tasks."""
    from harness.benchmarks.openmmlab.mm.trivial import scores

    return scores(root, data)
