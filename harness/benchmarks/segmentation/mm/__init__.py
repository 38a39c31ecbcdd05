"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.segmentation.mm.dataset import ReadLabel, SegmentationDataset
from harness.benchmarks.segmentation.mm.head import ContextHead
from harness.benchmarks.segmentation.mm.loss import KeptCrossEntropy
from harness.benchmarks.segmentation.mm.metric import SegmentationScores
from harness.benchmarks.segmentation.mm.predictions import WritePredictions
from harness.benchmarks.segmentation.mm.scales import ScalesAndFlips

__all__ = [
    "ContextHead",
    "KeptCrossEntropy",
    "ReadLabel",
    "ScalesAndFlips",
    "SegmentationDataset",
    "SegmentationScores",
    "WritePredictions",
]
