"""PASCAL VOC as distributed: ``JPEGImages``, ``Annotations`` (see format ``voc-xml``) and ``ImageSets/Main``, whose lists name images.

```
000005
000007
000009
```
"""

from __future__ import annotations

from typing import Literal

from harness.benchmarks.base import Format
from harness.benchmarks.object_localization.readers.voc_xml import Names, VocXmlData, read

VOC_CLASSES = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip


class VocDevkitData(VocXmlData):
    """VOC2007 or VOC2012 as distributed; CorLoc is measured on the images that were trained on (trainval).

    So the images that choose the threshold of CorLoc's box are scored, too; ``box: lost`` and ``dino-seg`` need none.
    """

    format: Literal["voc"]  # type: ignore[assignment]  # another: nobody reads it of a VocXmlData
    classes: Names = VOC_CLASSES
    images: str = "JPEGImages"
    annotations: str = "Annotations"
    train: str = "ImageSets/Main/trainval.txt"
    test: str = "ImageSets/Main/trainval.txt"
    several_labels: bool = True


FORMAT = Format(VocDevkitData, read)
