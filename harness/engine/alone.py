"""What the engine does around a trial, as one hook: a config of ``harness config`` trains alike wherever it runs."""

from __future__ import annotations

from typing import Any

from mmengine.registry import HOOKS

from harness.benchmarks.parts.layout import channels_last
from harness.engine.hooks import SeedEachEpoch
from harness.engine.threads import one_thread


@HOOKS.register_module()
class AsInTrial(SeedEachEpoch):
    """Seeds each epoch as a trial does; on a CPU one thread computes, and convolutions see the memory layout of a trial.

    Args:
        seed: of the trial.
        reorder: whether the backbone's maps lie with their channels together on a CPU (:func:`channels_last`).
    """

    def __init__(self, seed: int, reorder: bool = True):
        super().__init__(seed)
        self.reorder = reorder

    def before_run(self, runner: Any) -> None:
        if next(runner.model.parameters()).device.type != "cpu":
            return
        one_thread()
        if self.reorder:
            channels_last(runner.model.backbone)
            self.reorder = False  # a test after the training is another run for mmengine
