"""Cluttered scenes as PASCAL VOC, see :mod:`harness.benchmarks.scenes`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks import scenes
from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers import voc_xml
from harness.benchmarks.object_localization.readers.picture import Pictures
from harness.benchmarks.options import GeneratedData


class SyntheticData(GeneratedData, LocalizationData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    format: Literal["synthetic"]
    size: int = Field(default=64, ge=16)
    train: int = Field(default=480, ge=8)
    """Number of training images."""
    test: int = Field(default=160, ge=8)
    classes: int = Field(default=6, ge=2, le=len(scenes.CLASSES))
    seed: int = Field(default=0, ge=0)
    distractors: tuple[int, int] = scenes.DISTRACTORS
    """Fewest and most other objects of a scene, where there is room for them; no more than there are other classes."""
    side: tuple[float, float] = scenes.SIDE
    """Smallest and largest side of an object, as a share of the image's."""
    cue: bool = True
    """Whether the ring that marks the target is drawn; without it nothing tells the target from the others."""

    @property
    def class_count(self) -> int:
        return self.classes

    @property
    def class_names(self) -> list[str]:
        return list(scenes.CLASSES[: self.classes])


def _read(root: Path, data: SyntheticData) -> Pictures:
    written = voc_xml.VocXmlData(
        format="voc-xml",
        root=str(root),
        classes=data.class_names,
        images=".",
        train="ImageSets/Main/train.txt",
        test="ImageSets/Main/test.txt",
        val="ImageSets/Main/val.txt" if data.validating else None,
        annotations="Annotations",
    )
    return voc_xml.read(root, written)


def _generate(data: SyntheticData, out: Path) -> None:
    scenes.generate_scenes(
        out,
        {"train": data.train, "test": data.test, "val": data.validating},
        size=data.size,
        classes=data.classes,
        seed=data.seed,
        distractors=data.distractors,
        side=data.side,
        cue=data.cue,
    )


FORMAT = Format(SyntheticData, _read, _generate)
