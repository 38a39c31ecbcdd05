"""Semantic segmentation on mmseg: ``EncoderDecoder`` with a context head, scored by IoU over the whole test set."""

from harness.benchmarks.base import Family
from harness.benchmarks.segmentation.options import SegmentationModel, SegmentationSchedule

FAMILY = Family(
    name="segmentation",
    slots=("context",),
    primary="mIoU",
    formats={"synthetic": ".synthetic", "mmseg-folder": ".readers.mmseg_folder", "mmseg": ".readers.mmseg", "coco": ".readers.coco"},
    model=SegmentationModel,
    schedule=SegmentationSchedule,
)
