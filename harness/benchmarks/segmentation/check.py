"""What is wrong with the label maps of a segmentation dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.benchmarks.base import SPLITS, Problem, relative
from harness.benchmarks.segmentation.options import SegmentationData
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs
from harness.errors import DataError
from harness.images import measure

_GUESSED = 0.01
"""Share of pixels below which a value of a label map looks like an accident."""


def problems(root: Path, data: SegmentationData, listing: Pairs) -> Iterator[Problem]:
    """Each label map is read as a trial reads it."""
    pixels: dict[str, Counter[int]] = {}
    for split, pairs in zip(SPLITS, (listing.train, listing.test), strict=True):
        pixels[split] = Counter()
        for pair in pairs:
            yield from _look(root, data, listing, pair, pixels[split])
    yield from _classes(listing, pixels)


def _look(root: Path, data: SegmentationData, listing: Pairs, pair: Pair, pixels: Counter[int]) -> Iterator[Problem]:
    """Problems of one label map; its pixels are added to ``pixels``."""
    import numpy as np

    where = relative(pair.label, root)
    try:
        label = pair.read(listing.labels)
    except DataError as error:
        yield Problem(where, str(error).replace(f" {pair.label}", ""))
        return
    pixels.update(dict(zip(*(array.tolist() for array in np.unique(label, return_counts=True)), strict=True)))
    try:
        width, height = measure(pair.image, header_only=True, exif=data.exif == "apply")
    except ValueError:
        return  # told by whoever looks at all pictures
    if label.shape != (height, width):
        mend = "Image and label map must have the same size."
        if label.shape == (width, height):
            mend += " If an EXIF orientation turns the image, try data.exif: " + ("ignore." if data.exif == "apply" else "apply.")
        yield Problem(where, f"is {_hw(label.shape)}, its image {_hw((height, width))}", mend)


def _classes(listing: Pairs, pixels: dict[str, Counter[int]]) -> Iterator[Problem]:
    names, ignore = listing.classes, listing.labels.ignore
    for split, seen in pixels.items():
        if seen and not seen.keys() - {ignore}:
            yield Problem(f"{split} split", "no pixel of any label map has a class", "Check ignore_index and reduce_zero_label.")
    train, test = ({label for label in pixels[split] if label != ignore} for split in SPLITS)
    if not train or not test:
        return
    if len(train | test) == 1 and any(seen[ignore] > _GUESSED * seen.total() for seen in pixels.values()):
        (only,) = train | test
        what = f"every pixel is {names[only]} or ignored (label {ignore}), so that any prediction is right"
        mend = "Is it a mask of 0 and 255? Say what its values mean: data.labels: {0: CLASS, 255: CLASS}."
        yield Problem("label maps", what, mend)
        return
    absent = [name for index, name in enumerate(names) if index not in train]
    if absent:
        what = f"no training pixel of {_few(absent)}"
        fatal = any(names.index(name) in test for name in absent) or len(train) == 1
        mend = "A class that cannot be learnt is scored." if fatal else "These classes can neither be learnt nor scored here."
        yield Problem("train split", what, f"{mend} Correct data.classes, the labels or the split.", fatal=fatal)
    unscored = [name for index, name in enumerate(names) if index not in test and name not in absent]
    if unscored:
        yield Problem("test split", f"no pixel of {_few(unscored)}", "These classes cannot be scored here.", fatal=False)


def _hw(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
