"""DAVIS 2016 and 2017 as they are distributed, and what is laid out like them.

``JPEGImages/480p/bear/00000.jpg``, ``Annotations/480p/bear/00000.png``, and a list of videos: of 2017 a name a line, of 2016 a frame
and its mask a line. Masks of 2017 count the objects of a video (0: none, 255: no object, either); in those of 2016 whatever is
not 0 is the one object.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format
from harness.benchmarks.listed import names_in
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers import videos
from harness.benchmarks.mask_propagation.readers.videos import Videos

RESOLUTION, LIST = "480p", "ImageSets/2017/val.txt"
"""Of DAVIS 2017."""


class DavisData(PropagationData):
    """DAVIS, and what is laid out like it."""

    format: Literal["davis"]
    root: str
    resolution: str = RESOLUTION
    """Folder of frames and masks in ``JPEGImages`` and ``Annotations``."""
    list: str = LIST
    """The videos that are scored: their names, or the paths of their frames; of DAVIS 2016 ``ImageSets/480p/val.txt``."""
    one_object: bool = False
    """Whatever is not 0 in a mask is the one object: DAVIS 2016."""


def read(root: Path, data: DavisData) -> Videos:
    """List the videos."""
    return listed(root, data.resolution, data.list, one_object=data.one_object, exif=data.exif == "apply")


def listed(root: Path, resolution: str, videos_in: str, *, one_object: bool, exif: bool = False) -> Videos:
    """The videos of a list, see :class:`DavisData`."""
    told, frames = Videos(), f"JPEGImages/{resolution}"
    told.sources.append(root / videos_in)
    lines = names_in(root, videos_in, told, lambda line: (root / frames / line).is_dir())
    names = dict.fromkeys(_name(line, root / frames) for line in lines)
    listing = videos.read(root, frames, f"Annotations/{resolution}", names, one_object=one_object, exif=exif)
    listing.sources += told.sources
    listing.problems = [*told.problems, *listing.problems]
    return listing


def _name(line: str, frames: Path) -> str:
    """The video that a line is about: a path names one of its frames."""
    path = Path(line.replace("\\", "/"))
    return line if (frames / line).is_dir() or not path.suffix else path.parent.name


FORMAT = Format(DavisData, read)
