"""The config's own evaluators, whose values get names that the store can tell from those of scenes."""

from __future__ import annotations

from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.registry import EVALUATOR

from harness.benchmarks.openmmlab.mm.parts import watch
from harness.benchmarks.openmmlab.scores import plain, prefixed


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
        found = {self._name(*name.rpartition("/")[::2]): value for name, value in super().evaluate(size).items()}
        whole = {name: found[name] for name in self.names if name in found}
        for metric in self.metrics:
            for name, value in metric.parts.metrics.items():
                stem, slash, part = name.partition("/")
                whole[f"{self._name(metric.prefix or '', stem)}{slash}{part}"] = value
        return whole

    def _name(self, prefix: str, name: str) -> str:
        """As the benchmark declares it; the IoU of classes, of which there is none of the whole, as what stands beside it."""
        told = prefixed(prefix, name)
        beside = prefixed(prefix, "aAcc") if name == "IoU" else told
        return told if beside in self.names else plain(name)
