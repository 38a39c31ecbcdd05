"""Cluttered scenes as PASCAL VOC, see :mod:`harness.benchmarks.scenes`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.options import LocalizationData
from harness.benchmarks.object_localization.readers import voc_xml
from harness.benchmarks.object_localization.readers.picture import Pictures
from harness.benchmarks.scene_options import ScenesData


class SyntheticData(ScenesData, LocalizationData):
    """Cluttered scenes, see :mod:`harness.benchmarks.scenes`."""

    format: Literal["synthetic"]
    size: int = Field(default=64, ge=16, le=1 << 15)
    train: int = Field(default=480, ge=8, le=1 << 20)
    test: int = Field(default=160, ge=8, le=1 << 20)


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


FORMAT = Format(SyntheticData, _read, SyntheticData.generate)
