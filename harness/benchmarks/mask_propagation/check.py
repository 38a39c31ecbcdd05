"""What is wrong with the masks of videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem, relative
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.videos import VOID, Video, Videos, read_mask
from harness.benchmarks.palettes import contradiction
from harness.errors import DataError
from harness.images import measure


def problems(root: Path, data: PropagationData, listing: Videos) -> Iterator[Problem]:
    """Each mask is read as a trial reads it."""
    for video in listing.clips:
        yield from _problems(root, data, video)


def _problems(root: Path, data: PropagationData, video: Video) -> Iterator[Problem]:
    import numpy as np

    sizes, late = set(), set[int]()
    for frame, mask in zip(video.frames, video.masks, strict=True):
        try:
            width, height = measure(frame, header_only=True, exif=data.exif == "apply")
        except ValueError:
            continue  # told by whoever looks at all pictures
        sizes.add((width, height))
        if mask is None:
            continue
        where = relative(mask, root)
        try:
            values = read_mask(mask, exif=video.exif)
        except DataError as error:
            yield Problem(where, str(error).replace(f" {mask}", ""))
            continue
        if values.shape != (height, width):
            what = f"is {values.shape[1]} x {values.shape[0]} pixels, its frame {width} x {height}"
            yield Problem(where, what, "frame and mask must have the same size")
        if video.objects != (0,):
            late |= {*np.unique(values).tolist()} - {0, VOID, *video.objects}
    if len(sizes) > 1:
        yield Problem(video.name, "its frames have different sizes", "write them anew in one size")
    whole = video.objects == (0,)
    if found := contradiction((mask for mask in video.masks if mask), (lambda value: int(value != 0)) if whole else int):
        shown, before, file = ",".join(map(str, found.colour)), relative(found.before, root), relative(found.file, root)
        what = f"the colour {shown} is number {found.other} in {before} and {found.value} in {file}"
        yield Problem(
            video.name, what, "numbers are read, not colours: write all masks of a video with the same palette, or as grey numbers"
        )
    if late:
        what = f"{len(late)} objects come into its masks later than the first (number {min(late)}, for one)"
        yield Problem(video.name, what, "only what the first mask marks is followed and scored", fatal=False)
