"""What is looked at in the pictures of every dataset, whatever the family: each is decoded once, of 16 bits once more for their range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import tiff
from harness.benchmarks.base import NAMES, NEEDED, SPLITS, Listing, Problem, Split, relative
from harness.benchmarks.neighbours import parted
from harness.benchmarks.options import DataOptions
from harness.benchmarks.twins import twins_in
from harness.depth import significant_bits, usual_bits
from harness.digests import contents
from harness.images import DEEP, glance, orientation

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 5
"""Pairs of pictures that are named."""

_TOGETHER = "keep what belongs together in one split: by lists, or by data.together, which says what names of one video have in common"

SMALLEST = 4
"""Pixels of a side below which no backbone makes a feature map."""


def problems(data: DataOptions, listing: Listing[Any]) -> Iterator[Problem]:
    """Pictures that cannot be read whole, are turned by a tag, are deeper than said, or in two splits, as they are or encoded anew."""
    root, tags = listing.root, dict[Path, int]()
    bits = listing.decoding(data).bits
    thumbs: dict[Path, np.ndarray] = {}
    stacks = 0
    images = {name: listing.images(name) for name in SPLITS}
    every = [*dict.fromkeys(file for some in images.values() for file in some)]
    # a sample may have further pictures, which are its own
    whole = {file: file for file in every}
    whole |= {listing.image(sample): listing.whole(sample) for name in SPLITS for sample in listing.of(name)}
    wholes = {name: [*dict.fromkeys(whole[file] for file in some)] for name, some in images.items()}
    for file in every:
        try:
            (width, height), thumbs[file] = glance(file, bits)
        except ValueError as reason:
            yield Problem.unread(relative(file, root), reason)
            continue
        if min(width, height) < SMALLEST:
            yield Problem(relative(file, root), f"the image is only {width}x{height} pixels", "restore the original")
        if (picture := whole[file]) not in tags:
            tags[picture] = orientation(picture)
            stacks += tiff.further_pages(picture) > 0
    if stacks:
        listing.left_out["TIFFs' further pages: of a stack, or of channels stored as pages, the first is the picture"] = stacks
    if turned := sum(tag != 1 for tag in tags.values()):
        how = "turned as they are shown" if data.exif == "apply" else "read as they are stored"
        other = "ignore" if data.exif == "apply" else "apply"
        what = f"{turned} of {len(tags)} images carry an EXIF orientation; they are {how}"
        yield Problem("images", what, f"if the annotations were made otherwise, write data.exif: {other}", fatal=False)
    yield from _depth(data, listing.bits, significant_bits([*images["val"], *images["test"]]), lambda: usual_bits(every))
    digests = contents(wholes.values())
    if not (listing.same_twice and set(images["train"]) == set(images["test"])):
        copies = _copies(digests, wholes["train"], wholes["test"])
        yield from _in_both(root, copies, "train", "test", official=bool(data.official))
        apart = ([file for file in images[name] if file in thumbs and whole[file] not in copies] for name in NEEDED)
        train, test = ({file: thumbs[file] for file in some} for some in apart)
        if twins := twins_in(train, test, listing.decoding(data)):
            shown = ", ".join(f"{relative(file, root)} and {relative(other, root)}" for file, other in twins[:_SHOWN])
            what = f"{len(twins)} test images look the same as training images, encoded anew or resized: {shown}"
            what += ", ..." if len(twins) > _SHOWN else ""
            yield Problem("splits", what, "look at them, and take copies out of one of the two", fatal=False)
    alone = {file: thumb for file, thumb in thumbs.items() if whole[file] == file}
    for name in () if data.official else (*NEEDED[1:], "val"):
        if count := parted(images["train"], images[name], alone):
            what = f"{count} of {len(images[name])} {NAMES[name]} images are next to a training image by name, and neighbours look alike"
            yield Problem("splits", f"{what}, as frames of a video do", _TOGETHER, fatal=False)
    yield from _in_both(root, _copies(digests, wholes["train"], wholes["val"]), "train", "val")
    yield from _in_both(root, _copies(digests, wholes["val"], wholes["test"]), "val", "test")


def _depth(data: DataOptions, train: int | None, test: int | None, usual: Callable[[], int | None]) -> Iterator[Problem]:
    used, needed = data.bits or train or DEEP[-1], max(train or 0, test or 0)
    if test and not (train or data.bits):
        what = f"test images have 16 bits and values of {test}, training images have 8 bits"
        yield Problem("data.bits", what, f"write data.bits: {test} to have both seen in their full range")
    if not (train or data.bits) or not needed or (data.bits or 0) >= needed:
        return
    most = usual() or needed
    if most < needed and most <= used:
        what = f"16-bit images have values of {needed} bits, but all but a thousandth of their pixels need {most}"
        mend = f"write data.bits: {most}, which makes the others white, if they are faults of the camera, or data.bits: {needed} if not"
        yield Problem("data.bits", what, mend, fatal=False)
    elif needed > used:
        what = f"16-bit images have values of {needed} bits, beyond the {used} that are read"
        yield Problem("data.bits", what, f"write data.bits: {needed}")
    elif used < DEEP[-1]:
        what = f"16-bit images hold values of {used} bits at most, which become the 8 bits that the model sees"
        yield Problem("data.bits", what, f"write data.bits: {used} to keep it so whatever is added, or 16 for the full range", fatal=False)


def _copies(digests: dict[Path, bytes], some: list[Path], others: list[Path]) -> dict[Path, list[Path]]:
    """Pictures of ``others`` that are in ``some``, byte for byte, with these."""
    known: dict[bytes, list[Path]] = {}
    for file in some:
        if file in digests:
            known.setdefault(digests[file], []).append(file)
    return {file: known[digests[file]] for file in others if file in digests and digests[file] in known}


def _in_both(root: Path, copies: dict[Path, list[Path]], one: Split, other: Split, *, official: bool = False) -> Iterator[Problem]:
    """One that stands several times in the one split, too, is no picture of its own (a blank frame, a drawing) and tells
    little: such are warned of. So are those of an ``official`` dataset, which is what it is.
    """
    for fatal in (True, False):
        twice = [(file, same) for file, same in copies.items() if (len(same) == 1 or file in same) == fatal]
        if twice:
            file, same = twice[0]
            first, there = relative(file, root), relative(same[0], root)
            what = f"{len(twice)} {NAMES[other]} images are {NAMES[one]} images, too, e.g. {first}"
            what += "" if file in same else f", the same picture as {there}"
            yield Problem("splits", what, "take them out of one of the two", fatal and not official)
