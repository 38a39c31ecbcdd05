"""mmengine classes of the family: hosts, their hook, the dataset and the metric."""

from harness.benchmarks.self_supervised.mm import distillation, evaluation, pretrainer, reconstruction

__all__ = ["distillation", "evaluation", "pretrainer", "reconstruction"]
