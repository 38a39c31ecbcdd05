"""mmengine hooks of camera-localization trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

from harness.benchmarks.camera_localization.mm import plots
from harness.benchmarks.camera_localization.mm.dataset import AugmentWhen
from harness.benchmarks.camera_localization.mm.metric import PoseMetric
from harness.benchmarks.camera_localization.mm.model import CameraPoseRegressor
from harness.benchmarks.camera_localization.trajectories import FILE
from harness.errors import UsageError


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

    def before_train(self, runner: Any) -> None:
        _position_regressor(_bare(runner.model))  # whoever has none hears of it now, not after the first stage

    def before_train_epoch(self, runner: Any) -> None:
        if runner.epoch < self.begin:
            return
        model = _bare(runner.model)
        model.position_only = True
        model.requires_grad_(False)
        _position_regressor(model).requires_grad_(True)
        for transform in runner.train_dataloader.dataset.pipeline.transforms:
            if isinstance(transform, AugmentWhen):
                transform.active = True
        if runner.epoch == self.begin:
            for group in runner.optim_wrapper.param_groups:
                group["lr"] = group["initial_lr"] = self.lr

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        # only here, since mmengine's loop puts the whole model into training mode after before_train_epoch
        if runner.epoch >= self.begin and batch_idx == 0:
            model = _bare(runner.model)
            model.eval()
            _position_regressor(model).train()


def _bare(model: nn.Module) -> CameraPoseRegressor:
    """The model inside a distributed wrapper."""
    return cast(CameraPoseRegressor, getattr(model, "module", model))


def _position_regressor(model: CameraPoseRegressor) -> nn.Module:
    found = getattr(model.head, "position_regressor", None)
    if not isinstance(found, nn.Module):
        name = type(model.head).__name__
        raise UsageError(f"{name} has no `position_regressor` for the second stage to teach: run it with --set schedule.finetune=null.")
    return found


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
                np.savez_compressed(folder / FILE, allow_pickle=False, **metric.predictions)
                plots.draw(metric.predictions, metric.scenes, metric.thresholds, folder, metric.length)
            except Exception:
                runner.logger.exception("the pose plots could not be drawn")
