"""mmengine classes of the object-localization family; importing this registers them."""

from harness.benchmarks.object_localization.dataset import CropPart, LocalizationDataset
from harness.benchmarks.object_localization.metric import BoxMetric
from harness.benchmarks.object_localization.model import LocalizingClassifier

__all__ = ["BoxMetric", "CropPart", "LocalizationDataset", "LocalizingClassifier"]
