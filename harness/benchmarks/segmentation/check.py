"""What is wrong with the label maps of a segmentation dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import NEEDED, SPLITS, Problem, relative
from harness.benchmarks.palettes import contradiction
from harness.benchmarks.segmentation.edges import Seams
from harness.benchmarks.segmentation.options import SegmentationData
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs
from harness.errors import DataError
from harness.images import measure
from harness.texts import few

_GUESSED = 0.01
"""Share of pixels below which a value of a label map looks like an accident."""


_MASK = "Is it a mask of 0 and 255? Say what its values mean: data.labels: {0: CLASS, 255: CLASS}, or data.ignore: [255] if it is so."
_CROWDS = "Do these images show nothing but crowds, which are ignored? Annotate their objects one by one, or take the images out."


def problems(root: Path, data: SegmentationData, listing: Pairs) -> Iterator[Problem]:
    """Each label map is read as a trial reads it."""
    held: dict[str, list[Counter[int]]] = {}
    seams = Seams()
    for split in SPLITS:
        pairs = listing.of(split)
        held[split] = [Counter[int]() for _ in pairs]
        for pair, pixels in zip(pairs, held[split], strict=True):
            yield from _look(root, data, listing, pair, pixels, seams)
    yield from _seams(root, listing, seams)
    if data.server:  # whose test labels are blank
        held["test"] = held["train"]
    if any(problem.fatal for problem in listing.problems):
        return  # what could not be read is missing below
    told = getattr(data, "labels", None)  # whoever says what values mean is believed
    ignored = told or getattr(data, "ignore", None)
    mend = _MASK if hasattr(data, "labels") else _CROWDS
    if problem := (None if ignored else _masks(listing, held, mend)) or (None if told else _palettes(root, listing)):
        yield problem
        return
    yield from _classes(listing, {split: sum(some, Counter[int]()) for split, some in held.items()})


def _look(root: Path, data: SegmentationData, listing: Pairs, pair: Pair, pixels: Counter[int], seams: Seams) -> Iterator[Problem]:
    """Problems of one label map; its pixels are added to ``pixels``, its edges to ``seams``."""
    import numpy as np

    where = relative(pair.label, root)
    try:
        label = pair.read(listing.labels)
    except DataError as error:
        yield Problem(where, str(error).replace(f" {pair.label}", ""))
        return
    pixels.update(dict(zip(*(array.tolist() for array in np.unique(label, return_counts=True)), strict=True)))
    if listing.labels.counts and type(pair) is Pair:  # what is drawn from outlines has not been resized
        seams.add(label, listing.labels.ignore, pair.label)
    try:
        width, height = measure(pair.image, header_only=True, exif=data.exif == "apply")
    except ValueError:
        return  # told by whoever looks at all pictures
    if label.shape != (height, width):
        mend = "Image and label map must have the same size."
        if label.shape == (width, height):
            mend += " If an EXIF orientation turns the image, try data.exif: " + ("ignore." if data.exif == "apply" else "apply.")
        yield Problem(where, f"is {_hw(label.shape)}, its image {_hw((height, width))}", mend)


def _seams(root: Path, listing: Pairs, seams: Seams) -> Iterator[Problem]:
    """Label maps that look as if they had been resized with interpolation."""
    if not seams.interpolated:
        return
    share, most, file = seams.seams / seams.edges, *seams.most
    assert file is not None
    what = (
        f"{share:.0%} of the pixels between two classes are of a class whose number lies between theirs, {most} of {relative(file, root)}"
    )
    mend = "If label maps were resized with interpolation, do it anew with nearest neighbour; if a class is a border so thin, all is well."
    yield Problem("label maps", what, mend, fatal=False)


def _masks(listing: Pairs, held: dict[str, list[Counter[int]]], mend: str) -> Problem | None:
    """Masks of 0 and 255 where 255 is ignored: of all files, of a split, or of some files."""
    ignore, every = listing.labels.ignore, [pixels for some in held.values() for pixels in some]
    for where, some in (("label maps", every), *((f"{split} split", held[split]) for split in NEEDED)):
        seen = sum(some, Counter[int]())
        if len(seen) == 2 and seen[ignore] > _GUESSED * seen.total():
            only = listing.classes[min(seen.keys() - {ignore})]
            what = f"every pixel is {only} or ignored (label {ignore}), so that any prediction is right"
            return Problem(where, what, mend)
    ignored = [pixels for pixels in every if pixels[ignore]]
    if ignored and all(len(pixels) == 2 for pixels in ignored):
        alone = Counter(listing.classes[min(pixels.keys() - {ignore})] for pixels in ignored)
        only, count = alone.most_common(1)[0]
        if count > 1 and len(alone) == 1:
            what = f"{count} label maps hold {only} and ignored pixels (label {ignore}) only, the others no ignored pixel"
            return Problem("label maps", what, mend)
    return None


def _palettes(root: Path, listing: Pairs) -> Problem | None:
    """A colour that is one value in a file and another in the next."""
    found = contradiction(dict.fromkeys(pair.label for split in SPLITS for pair in listing.of(split)))
    if found is None:
        return None
    shown, before, file = ",".join(map(str, found.colour)), relative(found.before, root), relative(found.file, root)
    what = f"the colour {shown} is label {found.other} in {before} and {found.value} in {file}"
    mend = f"If colours mean classes, write data.labels: {{'{shown}': CLASS, ...}}; if values do, data.labels: {{0: CLASS, ...}}."
    return Problem("label maps", what, mend)


def _classes(listing: Pairs, pixels: dict[str, Counter[int]]) -> Iterator[Problem]:
    names, ignore = listing.classes, listing.labels.ignore
    for split, seen in pixels.items():
        if seen and not seen.keys() - {ignore}:
            yield Problem(f"{split} split", "no pixel of any label map has a class", "Check ignore_index and reduce_zero_label.")
    train, val, test = ({label for label in pixels[split] if label != ignore} for split in SPLITS)
    if not train or not test:
        return
    absent = [name for index, name in enumerate(names) if index not in train]
    if absent:
        what = f"no training pixel of {few(absent)}"
        fatal = any(names.index(name) in test for name in absent) or len(train) == 1
        mend = "A class that cannot be learnt is scored." if fatal else "These classes can neither be learnt nor scored here."
        mend += " Correct data.classes, the labels or the split"
        mend += "; the validation split has some: try another data.val_share." if any(names.index(name) in val for name in absent) else "."
        yield Problem("train split", what, mend, fatal=fatal)
    unscored = [name for index, name in enumerate(names) if index not in test and name not in absent]
    if unscored:
        yield Problem("test split", f"no pixel of {few(unscored)}", "These classes cannot be scored here.", fatal=False)


def _hw(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
