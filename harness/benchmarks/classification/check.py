"""What is wrong with the labels of a classification dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.benchmarks.base import SPLITS, Problem, relative
from harness.benchmarks.classification import masks
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.image_folder import ImageFolderData
from harness.benchmarks.classification.readers.labelled import Labels
from harness.digests import contents
from harness.texts import amount


def problems(root: Path, data: ClassificationData, listing: Labels) -> Iterator[Problem]:
    """Pictures that stand in two classes, masks among them, and what is wrong with those that they were taken from."""
    yield from listing.looked_at()
    if isinstance(data, ImageFolderData):
        yield from masks.problems(root, data.splits.values(), (file for split in SPLITS for file in listing.images(split)))
    samples = [sample for split in SPLITS for sample in listing.of(split)]
    digests = contents([file] for file in {listing.image(sample): None for sample in samples})
    yield from _copies(root, listing, digests)
    seen: dict[bytes, tuple[Path, int]] = {}
    for file, label in ((listing.image(sample), sample.label) for sample in samples):
        if file not in digests:
            continue
        other, first = seen.setdefault(digests[file], (file, label))
        if first != label:
            what = f"the same picture as {relative(other, root)}, which is '{listing.classes[first]}'"
            yield Problem(relative(file, root), what, f"is it '{listing.classes[label]}'? Delete one of the two", fatal=False)


def _copies(root: Path, listing: Labels, digests: Mapping[Path, bytes]) -> Iterator[Problem]:
    """Pictures that stand in a split more than once, in the same class."""
    for split in SPLITS:
        first: dict[tuple[bytes, int], Path] = {}
        pairs = [(listing.image(sample), sample.label) for sample in listing.of(split)]
        again = [
            (file, other) for file, label in pairs if file in digests and (other := first.setdefault((digests[file], label), file)) != file
        ]
        if again:
            file, other = again[0]
            one = f"{relative(file, root)} of {relative(other, root)}"
            what = f"of {amount(len(pairs), 'image')} {len(again)} are copies of others in the same class, e.g. {one}; each counts"
            yield Problem(f"{split} split", what, "delete the copies", fatal=False)
