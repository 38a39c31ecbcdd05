"""mmengine hooks of camera-localization trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

from harness.benchmarks.camera_localization import plots
from harness.benchmarks.camera_localization.dataset import AugmentWhen
from harness.benchmarks.camera_localization.metric import PoseMetric


@HOOKS.register_module()
class FineTunePosition(Hook):
    """From epoch ``begin`` on, only the position regressor learns, from augmented images and L_x alone.

    Everything else is frozen and in eval mode, as the authors' code has it. The state follows from the epoch, so that
    a resumed trial is in the right stage.

    Args:
        begin: first epoch of the stage.
        lr: learning rate it starts with.
    """

    def __init__(self, begin: int, lr: float):
        self.begin = begin
        self.lr = lr

    def before_train_epoch(self, runner: Any) -> None:
        if runner.epoch < self.begin:
            return
        model = _bare(runner.model)
        model.position_only = True
        model.requires_grad_(False)
        model.head.position_regressor.requires_grad_(True)
        for transform in runner.train_dataloader.dataset.pipeline.transforms:
            if isinstance(transform, AugmentWhen):
                transform.active = True
        if runner.epoch == self.begin:
            for group in runner.optim_wrapper.param_groups:
                group["lr"] = group["initial_lr"] = self.lr

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        # only here, since mmengine's loop puts the whole model into training mode after before_train_epoch
        if runner.epoch >= self.begin and batch_idx == 0:
            model = _bare(runner.model).eval()
            model.head.position_regressor.train()


def _bare(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper."""
    return getattr(model, "module", model)


@HOOKS.register_module()
class PosePictures(Hook):
    """After the test, writes the predicted poses and their plots into the trial's ``artifacts`` folder.

    ``predictions.npz`` holds the arrays of :attr:`PoseMetric.predictions`. A picture that cannot be drawn never costs a trial
    its result.
    """

    def after_test(self, runner: Any) -> None:
        folder = Path(runner.work_dir, "artifacts")
        for metric in runner.test_evaluator.metrics:
            if not isinstance(metric, PoseMetric) or not metric.predictions:
                continue
            try:
                folder.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(folder / "predictions.npz", **metric.predictions)
                plots.draw(metric.predictions, metric.scenes, metric.thresholds, folder)
            except Exception:
                runner.logger.exception("the pose plots could not be drawn")
