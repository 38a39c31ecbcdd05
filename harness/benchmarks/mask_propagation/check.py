"""What is wrong with the masks of videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem, relative
from harness.benchmarks.mask_propagation.edges import VOID, shades
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.videos import Video, Videos, read_mask
from harness.benchmarks.palettes import contradiction
from harness.errors import DataError
from harness.images import measure


def problems(root: Path, data: PropagationData, listing: Videos) -> Iterator[Problem]:
    """Each mask is read as a trial reads it."""
    for video in listing.clips:
        yield from _problems(root, data, video)


def _problems(root: Path, data: PropagationData, video: Video) -> Iterator[Problem]:
    import numpy as np

    sizes, late, soft = set(), set[int](), list[tuple[Path, float]]()
    whole = video.objects == (0,)
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
            values = read_mask(mask, exif=video.exif, brightness=whole)
        except DataError as error:
            yield Problem(where, str(error).replace(f" {mask}", ""))
            continue
        if values.shape != (height, width):
            what = f"is {values.shape[1]} x {values.shape[0]} pixels, its frame {width} x {height}"
            yield Problem(where, what, "frame and mask must have the same size")
        unknown = set() if whole else {*np.unique(values).tolist()} - {0, VOID, *video.objects}
        if (whole or unknown) and shades(values):
            marked = values[values != 0]
            soft.append((mask, float((marked < marked.max() / 2).mean())))
        else:
            late |= unknown
    if len(sizes) > 1:
        yield Problem(video.name, "its frames have different sizes", "write them anew in one size")
    if found := contradiction((mask for mask in video.masks if mask), (lambda value: int(value != 0)) if whole else int):
        shown, before, file = ",".join(map(str, found.colour)), relative(found.before, root), relative(found.file, root)
        what = f"the colour {shown} is number {found.other} in {before} and {found.value} in {file}"
        yield Problem(
            video.name, what, "numbers are read, not colours: write all masks of a video with the same palette, or as grey numbers"
        )
    if soft:
        mask, faint = max(soft, key=lambda one: one[1])
        what = f"{len(soft)} of its masks have soft edges, shades of a resized, antialiased or JPEG mask"
        mend = "resize masks with nearest neighbour only, without antialiasing or JPEG"
        if whole:
            what += f"; whatever is not 0 is the object, {faint:.1%} of it nearer to 0 in {relative(mask, root)}"
            mend = "write masks of 0 and 255 only"
        yield Problem(video.name, what, mend, fatal=not whole)
    if late:
        what = f"{len(late)} objects come into its masks later than the first (number {min(late)}, for one)"
        yield Problem(video.name, what, "only what the first mask marks is followed and scored", fatal=False)
