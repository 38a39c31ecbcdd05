"""What every reader yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.benchmarks.base import Listing, Split
from harness.images import measure

Box = tuple[float, float, float, float]
"""x0 y0 x1 y1 in pixels from the image's upper left corner; x1 and y1 lie one past the last pixel."""


@dataclass(frozen=True)
class Object:
    """An annotated object."""

    label: int
    box: Box
    area: float
    """Pixels, of the mask where there is one; decides whether it is small or large."""
    crowd: bool = False
    """Whether it is a region of many, as COCO marks some: any box that lies in it, however small, is no mistake."""
    mask: Any = None
    """COCO's ``segmentation``, where masks are read: polygons, or run lengths."""
    difficult: bool = False
    """Whether it is one that VOC leaves out: boxes on it, however many, are neither hits nor mistakes."""

    @property
    def optional(self) -> bool:
        """Whether it need not be found; such objects are not trained on."""
        return self.crowd or self.difficult


@dataclass(frozen=True)
class Picture:
    """An image with its objects."""

    number: int
    """Its id, in its split."""
    file: Path
    objects: tuple[Object, ...]
    size: tuple[int, int] | None = None
    """(width, height), where the annotation says."""
    source: str = ""
    """The file that holds the annotation, for messages."""

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Those of all objects."""
        return tuple(item.box for item in self.objects)


@dataclass
class Pictures(Listing[Picture]):
    """The pictures of all splits; those without objects are tested and not trained on."""

    classes: list[str] = field(default_factory=list)
    """Names in label order."""
    ids: dict[Split, dict[int, int]] = field(default_factory=dict)
    """Label -> id of that class in a split's own file, where its format has some."""
    exif: bool = False
    """Whether pictures are turned as their EXIF orientation says, and with them widths and heights."""

    def files_of(self, sample: Picture) -> tuple[Path, ...]:
        return (sample.file,)

    def split(self, name: Split) -> list[Picture]:
        """The pictures of a split, for ``train`` those that show an object.

        Raises:
            DataError: a problem is fatal.
        """
        pictures = super().split(name)
        return [picture for picture in pictures if name != "train" or any(not item.optional for item in picture.objects)]

    def measure(self, picture: Picture) -> tuple[int, int]:
        """(width, height) of a picture as a trial sees it.

        Raises:
            ValueError: it cannot be read; a clause for people.
        """
        return measure(picture.file, header_only=True, exif=self.exif)

    def finish(self) -> Pictures:
        """Note a split in which there is nothing to find."""
        if not any(problem.fatal for problem in self.problems):
            for name, pictures in (("train", self.train), ("test", self.test), *((("val", self.val),) if self.val else ())):
                if not any(not item.optional for picture in pictures for item in picture.objects):
                    self.add(f"{name} split", "no image has an object", "add annotations, or correct the split")
        return self


def box_area(box: Box) -> float:
    """Pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])
