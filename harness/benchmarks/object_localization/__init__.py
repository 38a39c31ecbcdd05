"""Object localization: boxes from where a classifier looked, trained with image labels only; by mmpretrain's ``ImageClassifier``."""

from harness.benchmarks.base import Family
from harness.benchmarks.object_localization.options import LocalizationModel
from harness.benchmarks.object_localization.scores import V2

FAMILY = Family(
    name="object-localization",
    slots=("pooling", "block"),
    primary=V2,
    formats={
        "synthetic": ".synthetic",
        "voc-xml": ".readers.voc_xml",
        "voc": ".readers.voc",
        "wsol": ".readers.wsol",
        "cub": ".readers.cub",
        "coco": ".readers.coco",
    },
    model=LocalizationModel,
)
