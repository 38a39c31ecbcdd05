"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.keypoint.mm.dataset import KeypointDataset
from harness.benchmarks.keypoint.mm.metric import KeypointAccuracy, KeypointAP

__all__ = ["KeypointAP", "KeypointAccuracy", "KeypointDataset"]
