"""What is wrong with the variants of a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.background_robustness.readers.varied import Variants
from harness.benchmarks.background_robustness.scores import VARIANTS
from harness.benchmarks.base import Problem


def problems(_root: Path, data: BackgroundData, listing: Variants) -> Iterator[Problem]:
    """Classes that have more images in one variant than in another: accuracies are then not of the same objects."""
    counts = Counter((sample.label, sample.variant) for sample in listing.varied)
    for label, group in enumerate(listing.groups):
        of_class = {name: counts[label, place] for place, name in enumerate(VARIANTS)}
        if len({*of_class.values()}) > 1:
            least, most = min(of_class, key=lambda name: of_class[name]), max(of_class, key=lambda name: of_class[name])
            what = f"'{group}' has {of_class[least]} images in {least} and {of_class[most]} in {most}"
            yield Problem(data.test_folder, what, "unpack the release again: each variant is made of the same images", fatal=False)
