"""Epochs on kept features, without what mmengine tells of each iteration."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook, IterTimerHook, LoggerHook, RuntimeInfoHook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor

_TELLING = (IterTimerHook, LoggerHook, RuntimeInfoHook)


class FeatureEpochs(EpochBasedTrainLoop):
    """mmengine's epochs with one line in the log for each.

    On kept features a step takes half a millisecond, and to time, count and log it as long again. Hooks that do more than that are asked
    as ever, so that the same numbers come out.
    """

    def run_epoch(self) -> None:
        runner: Any = self.runner
        runner.call_hook("before_train_epoch")
        runner.model.train()
        before, after = (_asked(runner.hooks, stage) for stage in ("before", "after"))
        outputs: dict[str, Any] = {}
        for index, batch in enumerate(self.dataloader):
            for hook in before:
                hook.before_train_iter(runner, batch_idx=index, data_batch=batch)
            outputs = step(runner.model, batch, runner.optim_wrapper)
            for hook in after:
                hook.after_train_iter(runner, batch_idx=index, data_batch=batch, outputs=outputs)
            self._iter += 1
        runner.call_hook("after_train_epoch")
        self._epoch += 1
        last = "  ".join(f"{name}: {float(value.detach()):.4f}" for name, value in outputs.items())
        runner.logger.info(f"Epoch(train) [{self._epoch}/{self._max_epochs}]  last batch: {last}")


def step(model: Any, batch: dict[str, Any], optim_wrapper: Any) -> dict[str, Any]:
    """``model.train_step(batch, optim_wrapper)``, without operations that change no bit.

    mmengine takes the mean of a loss that is one number, adds nothing to it and divides it by one, and so the gradient on its way back.
    Where there is more to a step than that, it is mmengine's.
    """
    if (
        type(model).train_step is not BaseModel.train_step
        or type(optim_wrapper) is not OptimWrapper
        or optim_wrapper._accumulative_counts > 1
    ):
        outputs: dict[str, Any] = model.train_step(batch, optim_wrapper=optim_wrapper)
        return outputs
    with optim_wrapper.optim_context(model):
        losses: dict[str, Any] = model._run_forward(model.data_preprocessor(batch, True), mode="loss")
    (name, loss), *more = losses.items()
    if more or name != "loss" or not isinstance(loss, Tensor) or loss.ndim:
        loss, losses = model.parse_losses(losses)
    optim_wrapper.backward(loss)
    optim_wrapper.step()
    optim_wrapper.zero_grad()
    return losses


def _asked(hooks: list[Hook], stage: str) -> list[Hook]:
    """Those that do something at this stage of an iteration."""
    return [
        hook
        for hook in hooks
        if not isinstance(hook, _TELLING)
        and any(getattr(type(hook), name) is not getattr(Hook, name) for name in (f"{stage}_train_iter", f"_{stage}_iter"))
    ]
