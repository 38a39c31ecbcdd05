"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.segmentation.head import ContextHead
from harness.benchmarks.segmentation.metric import SegmentationScores

__all__ = ["ContextHead", "SegmentationScores"]
