"""What is wrong with the labels of a classification dataset."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.base import Problem, relative
from harness.benchmarks.classification.options import ClassificationData
from harness.benchmarks.classification.readers.labelled import Labels


def problems(root: Path, _data: ClassificationData, listing: Labels) -> Iterator[Problem]:
    """Pictures that stand in two classes."""
    by_size: dict[int, list[tuple[Path, int]]] = defaultdict(list)
    for sample in (*listing.train, *listing.val, *listing.test):
        file = listing.image(sample)
        if file.is_file():
            by_size[file.stat().st_size].append((file, sample.label))
    for group in by_size.values():
        if len({label for _, label in group}) < 2:
            continue
        seen: dict[bytes, tuple[Path, int]] = {}
        for file, label in group:
            digest = hashlib.blake2b(file.read_bytes()).digest()
            other, first = seen.setdefault(digest, (file, label))
            if first != label:
                what = f"the same picture as {relative(other, root)}, which is '{listing.classes[first]}'"
                yield Problem(relative(file, root), what, f"is it '{listing.classes[label]}'? Delete one of the two", fatal=False)
