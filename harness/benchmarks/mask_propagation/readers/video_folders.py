"""Your own videos: a folder of frames for each, and a folder of masks of the same name.

``frames/cat/0001.jpg`` and ``masks/cat/0001.png``. Frames come in the order of their names. A mask holds a number from 1 to 254 for each
object, and 0 elsewhere; the first frame needs one, and of the others that have one all but the last are scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.benchmarks.base import Format
from harness.benchmarks.listed import names_in
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers import videos
from harness.benchmarks.mask_propagation.readers.videos import Videos


class FoldersData(PropagationData):
    """Folders of frames and of masks."""

    format: Literal["video-folders"]
    root: str
    frames: str = "frames"
    """Folder that holds a folder of frames for each video."""
    masks: str = "masks"
    """The same of masks."""
    list: str | None = None
    """A text file with a video a line; all of them by default."""
    one_object: bool = False
    """Whatever is not 0 in a mask is the one object."""


def read(root: Path, data: FoldersData) -> Videos:
    """List the videos."""
    exif = data.exif == "apply"
    if data.list is None:
        return videos.read(root, data.frames, data.masks, None, one_object=data.one_object, exif=exif)
    told = Videos()
    told.sources.append(root / data.list)
    names = names_in(root, data.list, told, lambda line: (root / data.frames / line).is_dir())
    listing = videos.read(root, data.frames, data.masks, names, one_object=data.one_object, exif=exif)
    listing.sources += told.sources
    listing.problems = [*told.problems, *listing.problems]
    return listing


FORMAT = Format(FoldersData, read)
