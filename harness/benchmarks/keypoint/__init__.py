"""Keypoints: the joints of one figure per image or box, by mmpose's top-down heatmap estimator; PCK, median error and COCO's AP."""

from harness.benchmarks.base import Family
from harness.benchmarks.keypoint.options import KeypointModel
from harness.benchmarks.keypoint.scores import PCK

FAMILY = Family(
    name="keypoint",
    slots=("block",),
    primary=PCK,
    formats={
        "synthetic": ".synthetic",
        "coco": ".readers.coco",
        "deeplabcut": ".readers.deeplabcut",
        "mmpose": ".readers.mmpose",
        "mpii": ".readers.mpii",
    },
    model=KeypointModel,
    toolbox="mmpose",
)
