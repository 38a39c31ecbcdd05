"""mmengine classes of the family: the dataset, the model, the metric, and the hook that draws."""

from harness.benchmarks.mask_propagation.mm import dataset, drawing, metric, model

__all__ = ["dataset", "drawing", "metric", "model"]
