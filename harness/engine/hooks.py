"""mmengine hooks that make a trial reproducible, resumable and honest about a diverged loss."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import set_random_seed

from harness.errors import TrialError
from harness.files import write_whole


class SeedEachEpoch(Hook):
    """Seeds all generators from (seed, epoch), so that a resumed trial draws what an uninterrupted one draws."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int):
        self.seed = seed

    def before_train_epoch(self, runner: Any) -> None:
        set_random_seed((self.seed * 1_000_003 + runner.epoch + 1) % 2**31)

    def before_test(self, runner: Any) -> None:
        set_random_seed((self.seed * 1_000_003) % 2**31)


class StopOnNonFiniteLoss(Hook):
    """Ends a trial whose loss is NaN or infinite: what follows would be meaningless."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None) -> None:
        loss = (outputs or {}).get("loss")
        if loss is not None and not torch.isfinite(loss if isinstance(loss, torch.Tensor) else torch.tensor(loss)).all():
            raise TrialError(f"the loss is {float(loss)} in epoch {runner.epoch + 1}, iteration {runner.iter + 1}")


class Checkpoint(Hook):
    """Keeps the state at the end of an epoch, at most every ``every`` seconds, and resumes from it.

    The file holds tensors and plain values only (mmengine's own checkpoints pickle its message hub, which
    ``weights_only=True`` refuses). It appears whole or not at all; one that cannot be read, or was written with batches
    of another size (before or during a second try after running out of memory), is dropped.
    """

    priority = "VERY_LOW"

    def __init__(self, file: Path, every: float = 30.0):
        self.file = file
        self.every = every
        self.saved_at = time.monotonic()

    def before_train(self, runner: Any) -> None:
        if not self.file.is_file():
            return
        try:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
            if state["epoch_length"] != len(runner.train_dataloader):
                raise ValueError("written with batches of another size, by which schedules count")
            runner.model.load_state_dict(state["model"])
            runner.optim_wrapper.load_state_dict(state["optimizer"])
            for scheduler, saved in zip(runner.param_schedulers, state["schedulers"], strict=True):
                scheduler.load_state_dict(saved)
        except Exception as error:
            # torn, of other code or of other batches: the trial must not be worse off than without a checkpoint, and a
            # half-loaded state cannot be trusted
            self.file.unlink(missing_ok=True)
            raise ResumeFailed(str(error)) from error
        runner.train_loop._epoch = state["epoch"]
        runner.train_loop._iter = state["iter"]
        # the Runner has told the optimiser that training begins at iteration 0
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        runner.logger.info(f"resumed after epoch {state['epoch']}")

    def after_train_epoch(self, runner: Any) -> None:
        if time.monotonic() - self.saved_at < self.every or runner.epoch + 1 >= runner.max_epochs:
            return
        state = {
            "model": runner.model.state_dict(),
            "optimizer": runner.optim_wrapper.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers],
            "epoch_length": len(runner.train_dataloader),
            "epoch": runner.epoch + 1,
            "iter": runner.iter,
        }
        # by way of the memory: on a full disk torch.save itself raises a RuntimeError, which would end the trial
        content = io.BytesIO()
        torch.save(state, content)
        try:
            write_whole(self.file, content.getbuffer())
        except OSError as error:
            runner.logger.warning(f"checkpoint not written: {error}")
        self.saved_at = time.monotonic()


class ResumeFailed(Exception):
    """The checkpoint was of no use and has been deleted; start the trial again."""
