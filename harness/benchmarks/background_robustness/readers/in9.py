"""ImageNet-9 as its authors distribute it, tested on by a classifier of ImageNet's 1000 classes or of the nine.

``bg_challenge/VARIANT/val/00_dog/*.JPEG`` for each of the eight variants (the release of MadryLab/backgrounds_challenge), and training
images in a folder per class: ImageNet-1k's ``train/n01440764/*.JPEG``, or the nine classes' ``train/00_dog/*.JPEG`` (IN-9L).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from harness.benchmarks.background_robustness.options import BackgroundData
from harness.benchmarks.background_robustness.readers import varied
from harness.benchmarks.background_robustness.readers.varied import Variants
from harness.benchmarks.base import Format, Split

_WORDNET = re.compile(r"n\d{8}")

GROUPS = (
    "00_dog", "01_bird", "02_wheeled vehicle", "03_reptile", "04_carnivore", "05_insect", "06_musical instrument", "07_primate", "08_fish",
)  # fmt: skip
"""Folders of the nine classes, in label order."""

_MEMBERS = (
    "151-170 173-268",
    "7-24 87-100 127-146",
    "407-408 428 436 444 468 511 547 555 561 565 569 573 586 603 609 612 627 656 661 665 670-671 675 690 705 717 734 751 757 791 802-803 "
    "817 820 829 847 864 866-867 870 880",
    "33-68",
    "269-280 286-299 356-362 387-388",
    "300-326",
    "401-402 420 432 486 494 513 541 546 558 566 577 579 593-594 641-642 683-684 687 699 776 822 875 881 889",
    "365-384",
    "0-6 389-397",
)
"""Which of ImageNet's 1000 classes, counted by name from 0, belong to each of the nine: ``in_to_in9.json`` of the release."""


class In9Data(BackgroundData):
    """ImageNet-9's variants, and what a classifier for them is trained on."""

    format: Literal["in9"]
    root: str
    classes: Literal[9, 1000] = 1000
    """Folders of the training images: ImageNet's 1000, which the official mapping takes to the nine, or the nine themselves."""
    train: str = "train"
    """Folder of the training images."""
    test: str = "bg_challenge"
    """Folder of the variants."""

    @property
    def class_names(self) -> list[str] | None:
        return [*GROUPS] if self.classes == len(GROUPS) else None

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": self.train}

    @property
    def test_folder(self) -> str:
        return self.test

    @property
    def groups(self) -> list[str]:
        return [*GROUPS]


def official_mapping() -> list[int]:
    """ImageNet's class, counted by name from 0 -> one of the nine or -1; of 1000."""
    found = [-1] * 1000
    for group, text in enumerate(_MEMBERS):
        for part in text.split():
            first, _, last = part.partition("-")
            for label in range(int(first), int(last or first) + 1):
                found[label] = group
    return found


def read(root: Path, data: In9Data) -> Variants:
    """List training and test images."""
    listing = varied.read(root, data)
    listing.mapping = official_mapping() if data.classes == 1000 else [*range(len(GROUPS))]
    if data.classes == 1000 and (odd := _out_of_order(listing.classes)):
        what = f"its class folders are not in ImageNet's order when sorted by name, e.g. '{odd}', and the official mapping counts them so"
        listing.add(data.train, what, "name them by their WordNet ids (n01440764), or by ImageNet's numbers with zeros before them (0000)")
    return listing


def _out_of_order(names: list[str]) -> str | None:
    """The first class folder by whose name ImageNet's 1000 are not counted: sorted as text, 10 comes before 2, and great white shark
    before tench.
    """
    if all(name.isdecimal() for name in names):
        return next((name for place, name in enumerate(names) if int(name) - int(names[0]) != place), None)
    return next((name for name in names if not _WORDNET.fullmatch(name)), None)


FORMAT = Format(In9Data, read)
