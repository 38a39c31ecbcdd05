"""DAVIS 2016 and 2017 as they are distributed, and what is laid out like them.

``JPEGImages/480p/bear/00000.jpg``, ``Annotations/480p/bear/00000.png``, and a list of videos: of 2017 a name a line, of 2016 a frame
and its mask a line. Masks of 2017 count the objects of a video (0: none, 255: no object, either); in those of 2016 whatever is
not 0 is the one object.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format
from harness.benchmarks.listed import rows_in
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers import videos
from harness.benchmarks.mask_propagation.readers.videos import Videos


class DavisLayout(PropagationData):
    """What is said of a dataset in DAVIS's layout."""

    resolution: str = "480p"
    """Folder of frames and masks in ``JPEGImages`` and ``Annotations``."""
    list: str = "ImageSets/2017/val.txt"
    """The videos that are scored: their names, or the paths of their frames; of DAVIS 2016 ``ImageSets/480p/val.txt``."""
    one_object: bool = False
    """Whatever is not 0 in a mask is the one object: DAVIS 2016."""


class DavisData(DavisLayout):
    """DAVIS, and what is laid out like it."""

    format: Literal["davis"]
    root: str


def read(root: Path, data: DavisLayout) -> Videos:
    """List the videos."""
    problems = Videos()
    problems.sources.append(root / data.list)
    names = [_name(row[0]) for row in rows_in(root, data.list, problems)]
    frames, masks = f"JPEGImages/{data.resolution}", f"Annotations/{data.resolution}"
    listing = videos.read(root, frames, masks, dict.fromkeys(names), one_object=data.one_object)
    listing.sources += problems.sources
    listing.problems = [*problems.problems, *listing.problems]
    return listing


def _name(line: str) -> str:
    """The video that a line is about: a path names one of its frames."""
    path = Path(line.replace("\\", "/"))
    return path.parent.name if path.suffix else path.name


FORMAT = Format(DavisData, read)
