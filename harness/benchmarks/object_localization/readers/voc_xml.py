"""PASCAL VOC's layout: one XML file per image, splits as lists of names or by a fraction."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.annotation import picture_of
from harness.benchmarks.object_localization.readers.picture import Picture, Pictures
from harness.images import SUFFIXES

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class VocXmlData(LocalizationData):
    """Images and one PASCAL VOC XML file each."""

    format: Literal["voc-xml"]
    root: str
    classes: Names
    """Names of the objects, in label order."""
    images: str = "images"
    """Folder of the images; a file lies in it, or in the subfolder that its annotation names."""
    annotations: str = "annotations"
    train: str | None = None
    """File with the names (without suffix) of the training images; a split by ``test_fraction`` without it."""
    test: str | None = None
    test_fraction: float = Field(default=0.5, gt=0, lt=1)
    """Share of the images for the test where no files say; exact copies of an image stay on one side."""
    seed: int = Field(default=0, ge=0)
    """Another seed splits differently."""
    several_labels: bool = False
    """Whether an image may show several classes; otherwise the class of its first object is its label."""

    @model_validator(mode="after")
    def _consistent(self) -> VocXmlData:
        if (self.train is None) != (self.test is None):
            raise ValueError("give both train and test, or neither (then test_fraction splits)")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is listed twice")
        return self

    @property
    def class_count(self) -> int:
        return len(self.classes)

    @property
    def class_names(self) -> list[str]:
        return self.classes

    @property
    def multi_label(self) -> bool:
        return self.several_labels


def read(root: Path, data: VocXmlData) -> Pictures:
    """List both splits: an image has the classes of all its objects, or of the first one only, and the boxes of its classes."""
    listing = Pictures(root=root, single=data.class_count == 1)
    for name in (data.images, data.annotations):
        if not (root / name).is_dir():
            listing.add(name, "the folder is missing", "put it there, or correct data.images and data.annotations")
    if listing.problems:
        return listing
    if data.train is None:
        every = sorted(file.stem for file in (root / data.annotations).glob("*.xml") if not file.name.startswith("."))
        if not every:
            listing.add(data.annotations, "there is no XML file", "put the annotations there, or correct data.annotations")
        pictures = {stem: picture_of(stem, data, listing) for stem in every}
        splits = _split({stem: picture for stem, picture in pictures.items() if picture}, data, listing)
        _unlabelled(pictures, data, listing)
    else:
        splits = [_listed(name, listing) for name in (data.train, data.test)]
        pictures = {stem: picture_of(stem, data, listing) for stem in dict.fromkeys([*splits[0], *splits[1]])}
    listing.train, listing.test = ([picture for stem in stems if (picture := pictures[stem])] for stems in splits)
    return listing.finish()


def _listed(name: str, listing: Pictures) -> list[str]:
    """Names in a split file; a second column, as in VOC's files per class, is ignored."""
    text = listing.text(name, "put it there, or correct data.train and data.test")
    if text is None:
        return []
    stems = [line.split()[0] for line in text.split("\n") if line.strip()]
    if not stems:
        listing.add(name, "the split file is empty", "write one image name a line, without suffix")
    for stem in [stem for stem, count in Counter(stems).items() if count > 1]:
        listing.add(name, f"'{stem}' is listed twice", "delete one of the lines")
    return list(dict.fromkeys(stems))


def _split(pictures: dict[str, Picture], data: VocXmlData, listing: Pictures) -> list[list[str]]:
    """Names of the training and of the test images; images of the same bytes stay together.

    The order that decides is that of a hash of the bytes, so neither names nor other images move an image.
    """
    groups: dict[str, list[str]] = {}
    for stem, picture in pictures.items():
        digest = hashlib.blake2b(str(data.seed).encode(), digest_size=16)
        digest.update((listing.root / picture.file).read_bytes())
        groups.setdefault(digest.hexdigest(), []).append(stem)
    test: set[str] = set()
    for _, stems in sorted(groups.items()):
        if len(test) + len(stems) / 2 <= data.test_fraction * len(pictures):
            test.update(stems)
    return [[stem for stem in pictures if stem not in test], [stem for stem in pictures if stem in test]]


def _unlabelled(pictures: dict[str, Picture | None], data: VocXmlData, listing: Pictures) -> None:
    used = {picture.file for picture in pictures.values() if picture}
    images = [file for file in (listing.root / data.images).iterdir() if file.suffix.lower() in SUFFIXES]
    for file in sorted(images):
        name = file.relative_to(listing.root).as_posix()
        if name not in used and file.stem not in pictures:
            listing.add(name, "the image has no annotation; it is not used", f"add {data.annotations}/{file.stem}.xml", fatal=False)


FORMAT = Format(VocXmlData, read)
