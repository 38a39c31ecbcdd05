"""PASCAL VOC's layout: one XML file per image, splits as lists of names or by a fraction.

```
<annotation><filename>000005.jpg</filename><size><width>500</width><height>375</height></size>
  <object><name>chair</name><bndbox><xmin>263</xmin><ymin>211</ymin><xmax>324</xmax><ymax>339</ymax></bndbox></object>
</annotation>
```

Pixels are counted from 1, the last one included. An annotation describes the image of its own name: ``annotations/a/000005.xml``
that of ``images/a/000005.jpg``. ``<filename>`` is often out of date and counts where there is no such image.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format, relative
from harness.benchmarks.groups import group_of, tell_fit
from harness.benchmarks.listed import Index, bare, lines_in, named
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers.annotation import Annotations
from harness.benchmarks.object_localization.readers.picture import Picture, Pictures, several
from harness.benchmarks.spelled import form
from harness.benchmarks.voc_options import VocLayout

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class VocXmlData(VocLayout, LocalizationData):
    """Images and one PASCAL VOC XML file each."""

    format: Literal["voc-xml"]
    classes: Names
    """Names of the objects, in label order."""
    several_labels: bool = False
    """Whether an image may show several classes; otherwise the class of its first object is its label."""

    @model_validator(mode="after")
    def _consistent(self) -> VocXmlData:
        if (self.train is None) != (self.test is None):
            raise ValueError("give both train and test, or neither (then test_fraction splits)")
        if self.val is not None and self.train is None:
            raise ValueError("val names a list, so give train and test, too")
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
    """List all splits: an image has the classes of all its objects, or of the first one only, and the boxes of its classes."""
    listing = Pictures(root=root, exif=data.exif == "apply", single=data.class_count == 1)
    for name in (data.images, data.annotations):
        if not (root / name).is_dir():
            listing.add(name, "the folder is missing", "put it there, or correct data.images and data.annotations")
    if listing.problems:
        return listing
    annotations = Annotations(data, listing)
    if data.train is None or data.test is None:
        every = sorted(annotations.files)
        if not every:
            listing.add(data.annotations, "there is no XML file", "put the annotations there, or correct data.annotations")
        pictures = {stem: annotations.picture(stem) for stem in every}
        found = {stem: picture for stem, picture in pictures.items() if picture}
        splits = _split(found, data, listing)
        if data.together is not None:
            names = [picture.file for picture in found.values()]
            tell_fit(listing, data.together, names, names)
        _unlabelled(pictures, annotations, data, listing)
    else:
        splits = [_listed(name, annotations, listing) if name else [] for name in (data.train, data.test, data.val)]
        pictures = {stem: annotations.picture(stem) for stem in dict.fromkeys(stem for stems in splits for stem in stems)}
    annotations.tell()
    listing.train, listing.test, listing.val = ([picture for stem in stems if (picture := pictures[stem])] for stems in splits)
    return listing.finish()


def _listed(name: str, annotations: Annotations, listing: Pictures) -> list[str]:
    """Names in a split file, with or without path and suffix; a second column, as in VOC's files per class, is ignored."""
    listing.sources.append(listing.root / name)
    told = len(listing.problems)
    index, counts = Index(f"{stem}.xml" for stem in annotations.files), Counter[str]()

    def known(line: str) -> list[str]:
        return index.exact(line) or index.exact(bare(line))

    lines = lines_in(listing.root, name, listing, lambda line: bool(known(line)))
    if not lines and len(listing.problems) == told:
        listing.add(name, "the split file is empty", "write one image name a line, without suffix")
    for line in named(lines, lambda line: bool(known(line))):
        found = known(line)
        if len(found) > 1:
            listing.add(name, f"'{line}' may mean {' or '.join(found[:3])}", "write its path")
        else:
            counts[found[0].removesuffix(".xml") if found else bare(line)] += 1
    for stem in [stem for stem, count in counts.items() if count > 1]:
        listing.add(name, f"'{stem}' is listed twice", "delete one of the lines")
    return list(counts)


def _split(pictures: dict[str, Picture], data: VocXmlData, listing: Pictures) -> list[list[str]]:
    """Names of the training, the test and (none) the validation images; images of the same bytes or group stay together.

    The order that decides is that of a hash of the bytes, so neither names nor other images move an image that is of no group.
    """
    tops: dict[str, str] = {}

    def top(name: str) -> str:
        while name in tops:
            name = tops[name]
        return name

    digests: dict[str, str] = {}
    for stem, picture in pictures.items():
        digest = hashlib.blake2b(str(data.seed).encode(), digest_size=16)
        digest.update((listing.root / picture.file).read_bytes())
        digests[stem] = digest.hexdigest()
        if group := group_of(picture.file, data.together):
            # the mark sorts names of groups behind digests
            first, *others = sorted({top(digests[stem]), top(f"~{group}")})
            tops.update(dict.fromkeys(others, first))
    groups: dict[str, list[str]] = {}
    for stem, own in digests.items():
        groups.setdefault(top(own), []).append(stem)
    test: set[str] = set()
    for _, stems in sorted(groups.items()):
        if len(test) + len(stems) / 2 <= data.test_fraction * len(pictures):
            test.update(stems)
    return [[stem for stem in pictures if stem not in test], [stem for stem in pictures if stem in test], []]


def _unlabelled(pictures: dict[str, Picture | None], annotations: Annotations, data: VocXmlData, listing: Pictures) -> None:
    used = {listing.root / picture.file for picture in pictures.values() if picture}
    broken = {form(stem.rpartition("/")[2]) for stem, picture in pictures.items() if picture is None}
    unused = [file for file in annotations.images if file not in used and form(file.stem) not in broken]
    if unused:
        what = f"{several(len(unused), 'image')} without annotation, not used"
        listing.add(relative(unused[0], listing.root), what, f"add {data.annotations}/{unused[0].stem}.xml", fatal=False)


FORMAT = Format(VocXmlData, read)
