"""Object detection on mmdet: two-stage detectors, RetinaNet and DETRs; COCO's average precision of boxes and masks."""

from harness.benchmarks.base import Family
from harness.benchmarks.detection.options import DetectionModel

FAMILY = Family(
    name="detection",
    slots=(
        *("block", "relation", "region_features", "duplicate_removal", "detector"),
        *("encoder_attention", "position_encoding", "attention_loss"),
    ),
    primary="AP",
    formats={
        "synthetic": ".synthetic",
        "digits": ".readers.digits",
        "coco": ".readers.coco",
        "voc-xml": ".readers.voc_xml",
        "yolo": ".readers.yolo",
    },
    model=DetectionModel,
)
