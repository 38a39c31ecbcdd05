"""mmengine classes of the camera-localization family."""

from harness.benchmarks.camera_localization.mm import dataset, hooks, metric, model

__all__ = ["dataset", "hooks", "metric", "model"]
