"""PASCAL VOC's layout, read as :mod:`harness.benchmarks.object_localization.readers.voc_xml` reads it, with every object.

Pixels are counted from 1, the last one included. Objects marked ``<difficult>1</difficult>`` are not trained on and count for nothing in
the test, as in VOC's development kit: a box that overlaps one by the threshold, and no other object by as much, is neither a hit nor a
mistake, and so is a second one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.benchmarks.base import Format, Problem
from harness.benchmarks.detection.options import DetectionData
from harness.benchmarks.detection.readers.picture import Object, Picture, Pictures, box_area
from harness.benchmarks.object_localization.readers import voc_xml
from harness.benchmarks.object_localization.readers.picture import several
from harness.benchmarks.voc_options import VocLayout

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]

_FLAT = "a box has no area"


class VocXmlData(VocLayout, DetectionData):
    """Images and one PASCAL VOC XML file each."""

    format: Literal["voc-xml"]
    classes: Names
    """Names of the objects, in label order."""

    @model_validator(mode="after")
    def _consistent(self) -> VocXmlData:
        self.layout(Path())
        return self

    @property
    def class_count(self) -> int:
        return len(self.classes)

    def layout(self, root: Path) -> voc_xml.VocXmlData:
        """The same as options of object localization.

        Raises:
            ValueError: options that exclude each other.
        """
        told = self.model_dump(exclude={"root", "val_share", "official"})
        return voc_xml.VocXmlData(**told, root=str(root), several_labels=True)


def read(root: Path, data: VocXmlData) -> Pictures:
    """List all splits; boxes without area are left out, and told."""
    found = voc_xml.read(root, data.layout(root))
    listing = Pictures(root=root, exif=data.exif == "apply", classes=list(data.classes))
    listing.sources, listing.left_out = found.sources, found.left_out
    listing.problems = [
        Problem(problem.where, f"{problem.what}; it is left out", problem.mend, False) if problem.what.startswith(_FLAT) else problem
        for problem in found.problems
    ]
    numbers: dict[str, int] = {}
    flat: list[str] = []
    for name in ("train", "test", "val"):
        pictures = []
        for one in found.of(name):
            thick = [item for item in one.objects if min(item[1][2] - item[1][0], item[1][3] - item[1][1]) > 1]
            flat += [one.source] * (len(one.objects) - len(thick))
            objects = tuple(Object(label, box, box_area(box), difficult=difficult) for label, box, difficult in thick)
            number = numbers.setdefault(one.file, len(numbers))
            pictures.append(Picture(number, root / one.file, objects, one.size, one.source))
        setattr(listing, name, pictures)
    if flat:
        what = f"{several(len(flat), 'box', 'boxes')} no more than a pixel wide or high left out, e.g. in {flat[0]}"
        listing.add(data.annotations, what, "correct or delete them", fatal=False)
    return listing.finish()


FORMAT = Format(VocXmlData, read)
