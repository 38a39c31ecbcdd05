"""Scenes with one object each, whose place is known: what a mask hides can be said.

They are those of :mod:`harness.benchmarks.scenes` without distractors and without the ring: the class of the only object is the label.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.classification.readers.image_folder import read
from harness.benchmarks.classification.synthetic import SyntheticData
from harness.benchmarks.scene_options import Count, Share

Box = tuple[float, float, float, float]
"""left, top, right, bottom as shares of the image's sides."""


class ObjectData(SyntheticData):
    """Scenes with one object each, at any place."""

    distractors: tuple[Count, Count] = (0, 0)
    side: tuple[Share, Share] = (0.3, 0.5)
    cue: bool = False
    clutter: float = Field(default=0.2, ge=0, le=2)
    """Times the strength of the background's colours. With much of it, each image is known by its background, and nothing is learnt of
    objects."""
    extent: Share = 1.0
    """Side of what is drawn, as a share of the object's box: a box that is half empty would count background as object."""


def box_of(root: Path, image: Path) -> Box | None:
    """Where the object of a scene is; ``None`` where nothing says so.

    Args:
        root: the dataset's folder.
        image: one of its files.
    """
    file = root / "Annotations" / f"{image.stem}.xml"
    if not file.is_file():
        return None
    tree = ElementTree.parse(file)
    width, height, left, top, right, bottom = (
        float(tree.findtext(f".//{name}") or 0) for name in ("width", "height", "xmin", "ymin", "xmax", "ymax")
    )
    # VOC counts pixels from 1, the last one included
    return (left - 1) / width, (top - 1) / height, right / width, bottom / height


FORMAT = Format(ObjectData, read, ObjectData.generate)
