"""Classes of the family that mmengine builds; importing registers them."""

from harness.benchmarks.camera_localization.mm.dataset import AugmentWhen, PackPose, PoseDataset
from harness.benchmarks.camera_localization.mm.hooks import FineTunePosition, PosePictures
from harness.benchmarks.camera_localization.mm.metric import PoseMetric
from harness.benchmarks.camera_localization.mm.model import CameraPoseRegressor

__all__ = ["AugmentWhen", "CameraPoseRegressor", "FineTunePosition", "PackPose", "PoseDataset", "PoseMetric", "PosePictures"]
