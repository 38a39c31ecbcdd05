"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.detection.mm.dataset import DetectionDataset
from harness.benchmarks.detection.mm.metric import DetectionScores
from harness.benchmarks.detection.mm.regions import PluginBoxHead, PluginMaskHead, PluginRegionHead, PluginRegions
from harness.benchmarks.detection.mm.sets import SetDetector

__all__ = ["DetectionDataset", "DetectionScores", "PluginBoxHead", "PluginMaskHead", "PluginRegionHead", "PluginRegions", "SetDetector"]
