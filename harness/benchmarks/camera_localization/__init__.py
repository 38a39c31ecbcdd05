"""Camera localization: the 6-DoF pose of the camera from one image, in several scenes with one model.

Pose regression with the Multi-Scene Transformer, or with a model of the ``model`` slot in its place.
"""

from harness.benchmarks.base import Family
from harness.benchmarks.camera_localization.options import CameraModel, CameraSchedule

FAMILY = Family(
    name="camera-localization",
    slots=("encoder_attention", "position_encoding", "attention_loss", "block", "model"),
    primary="position_median_m",
    formats={
        "synthetic": ".synthetic",
        "7scenes": ".readers.seven_scenes",
        "cambridge": ".readers.cambridge",
        "transforms": ".readers.transforms",
        "colmap": ".readers.colmap",
    },
    model=CameraModel,
    schedule=CameraSchedule,
)
