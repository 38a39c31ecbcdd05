"""The config's own evaluators, whose values get names that the store can tell from those of scenes."""

from __future__ import annotations

from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.registry import EVALUATOR

from harness.benchmarks.openmmlab.mm.parts import watch
from harness.benchmarks.openmmlab.scores import plain


@EVALUATOR.register_module()
class OwnScores(Evaluator):
    """mmengine's evaluator, which hands on the values that the benchmark declares, and those of single classes and joints.

    Args:
        metrics: configs of the evaluators.
        names: of these values.
    """

    def __init__(self, metrics: list[dict[str, Any]], names: list[str]):
        super().__init__(metrics)
        self.names = names
        for metric in self.metrics:
            watch(metric)

    def evaluate(self, size: int) -> dict[str, Any]:
        found: dict[str, Any] = {plain(name): value for name, value in super().evaluate(size).items()}
        whole = {name: found[name] for name in self.names if name in found}
        return whole | {name: value for metric in self.metrics for name, value in metric.parts.metrics.items()}
