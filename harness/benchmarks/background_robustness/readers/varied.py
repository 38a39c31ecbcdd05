"""Images with their classes and variants, as every reader yields them, and the folders they lie in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.background_robustness.scores import VARIANTS
from harness.benchmarks.classification.readers import image_folder
from harness.benchmarks.classification.readers.labelled import Labelled, Labels
from harness.images import search


@dataclass(frozen=True)
class Varied(Labelled):
    """A test image; its label is one of the test images' classes."""

    variant: int
    """Place in :data:`VARIANTS`."""


@dataclass
class Variants(Labels):
    """Training images with labels of their own, and test images in variants.

    Validation images are variants where the dataset has such, and otherwise training images.
    """

    groups: list[str] = field(default_factory=list)
    """The test images' classes, in label order."""
    mapping: list[int] = field(default_factory=list)
    """Training class -> the test images' class, or -1."""

    @property
    def varied(self) -> list[Varied]:
        """The test images, problems or not."""
        return [sample for sample in self.test if isinstance(sample, Varied)]


def read(root: Path, data: BackgroundData) -> Variants:
    """List all splits: ``TRAIN/CLASS/*`` and ``TEST/VARIANT/val/CLASS/*``; the mapping is empty yet."""
    there = image_folder.read(root, data)
    problems = [problem for problem in there.problems if "are the same folder" not in problem.what]
    listing = Variants(train=there.train, problems=problems, left_out=there.left_out, classes=there.classes, groups=data.groups)
    listing.test = [*_variants(root, data.test_folder, listing)]
    if data.val_folder:
        listing.val = [*_variants(root, data.val_folder, listing)]
    return listing


def _variants(root: Path, folder: str, listing: Variants) -> list[Labelled]:
    """The images of all variants in ``folder``, variant by variant; what is missing is noted in ``listing``."""
    samples: list[Labelled] = []
    mend = "unpack the release of MadryLab/backgrounds_challenge there, all eight variants"
    for place, variant in enumerate(VARIANTS):
        for label, group in enumerate(listing.groups):
            where = f"{folder}/{variant}/val/{group}"
            if not (root / where).is_dir():
                listing.add(where, "the folder is missing", mend)
                continue
            found = search(root / where)
            listing.left_out += found.passed_over
            if not found.files:
                listing.add(where, "the class has no image", mend)
            samples += [Varied(file, label, place) for file in found.files]
    return samples
