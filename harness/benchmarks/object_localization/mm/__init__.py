"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.object_localization.mm.dataset import CropPart, LocalizationDataset
from harness.benchmarks.object_localization.mm.metric import BoxMetric
from harness.benchmarks.object_localization.mm.model import LocalizingClassifier

__all__ = ["BoxMetric", "CropPart", "LocalizationDataset", "LocalizingClassifier"]
