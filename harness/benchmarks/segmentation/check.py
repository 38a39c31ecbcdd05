"""What is wrong with the images and label maps of a segmentation dataset."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from harness.benchmarks.base import SPLITS, Problem, relative
from harness.benchmarks.segmentation.options import SegmentationData
from harness.benchmarks.segmentation.readers.pairs import Pair, Pairs, read_label
from harness.errors import DataError
from harness.images import measure


def problems(root: Path, data: SegmentationData, listing: Pairs) -> Iterator[Problem]:
    """Each file that a trial would read is opened."""
    groups = dict(zip(SPLITS, (listing.train, listing.test), strict=True))
    for image in sorted({pair.image.resolve() for pair in listing.train} & {pair.image.resolve() for pair in listing.test}):
        yield Problem(relative(image, root), "is in the training and in the test split", "Give disjoint splits.")
    labels = _Labels(data, listing.classes)
    for split, group in groups.items():
        seen: set[int] = set()
        for pair in group:
            yield from labels.look(pair, root, seen)
        if group and not seen:
            yield Problem(f"{split} split", "no pixel of any label map has a class", "Check ignore_index and reduce_zero_label.")
        missing = [name for i, name in enumerate(labels.names) if i not in seen]
        if seen and missing:
            what = f"no pixel of {_few(missing)}"
            yield Problem(f"{split} split", what, "These classes cannot be learnt or scored here.", fatal=False)


class _Labels:
    """Looks at one image-label pair after the other."""

    def __init__(self, data: SegmentationData, names: list[str]):
        self.zero = data.reduce_zero_label
        self.ignore = data.ignore_index
        self.names = names

    def look(self, pair: Pair, root: Path, seen: set[int]) -> Iterator[Problem]:
        """Problems of one pair; the classes met are added to ``seen``."""
        import numpy as np

        where = relative(pair.label, root)
        size = yield from _image_size(pair, root)
        if not pair.label.is_file():
            yield Problem(where, f"the label map of {relative(pair.image, root)} is missing", "Add it, or drop the image from the split.")
            return
        try:
            label = read_label(pair.label, self.zero)
        except DataError as error:
            yield Problem(where, str(error))
            return
        if size and label.shape != size:
            yield Problem(where, f"is {_hw(label.shape)}, its image {_hw(size)}", "Image and label map must have the same size.")
        values = set(np.unique(label).tolist()) - {self.ignore}
        wrong = sorted(value for value in values if value >= len(self.names))
        if wrong:
            shown = [value + 1 if self.zero else value for value in wrong]
            first = 1 if self.zero else 0
            yield Problem(
                where,
                f"labels {_few(map(str, shown))} are outside the classes {first} to {len(self.names) - 1 + first} and not ignored",
                "Correct the label map, data.classes, or data.ignore_index.",
            )
        seen |= values - set(wrong)


def _image_size(pair: Pair, root: Path) -> Generator[Problem, None, tuple[int, int] | None]:
    """Yields problems of the image; returns its (H, W) where it can be read whole."""
    try:
        width, height = measure(pair.image)
    except ValueError as reason:
        yield Problem(relative(pair.image, root), str(reason), "Replace it by an intact image, or take it out of the split's list.")
        return None
    return height, width


def _hw(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
