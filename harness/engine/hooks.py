"""mmengine hooks that make a trial reproducible and honest about a diverged loss; checkpoint.py makes it resumable."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import IterBasedTrainLoop, set_random_seed

from harness.engine.loading import begin
from harness.errors import TrialError

_OF_A_RANK = 15_485_863


def in_iterations(runner: Any) -> bool:
    """Whether the training is counted in iterations: for mmengine it is one epoch then."""
    return runner._train_loop is not None and isinstance(runner.train_loop, IterBasedTrainLoop)


def seed_generators(number: int) -> None:
    """Seed all generators as mmengine does; those of GPUs where there is a use for it.

    Asked before CUDA is used, torch puts that off, and formats the stack of each who asked: as long as two steps on kept features.
    """
    cuda: Any = torch.cuda
    if cuda.is_initialized():
        set_random_seed(number)
        return
    random.seed(number)
    np.random.seed(number)
    torch.default_generator.manual_seed(number)


class SeedEachEpoch(Hook):
    """Seeds all generators from (seed, epoch), so that a resumed trial draws what an uninterrupted one draws."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int):
        self.seed = seed

    def before_train_epoch(self, runner: Any) -> None:
        # of several processes each draws what it needs for its own images
        seed_generators((self.seed * 1_000_003 + runner.epoch + 1 + _OF_A_RANK * get_rank()) % 2**31)
        begin(runner.train_dataloader, runner.epoch)

    def before_val(self, runner: Any) -> None:
        seed_generators((self.seed * 1_000_003) % 2**31)

    def after_val(self, runner: Any) -> None:
        if in_iterations(runner):  # nothing else would part the draws before a validation from those after it
            seed_generators((self.seed * 1_000_003 + runner.iter + 1) % 2**31)

    def before_test(self, runner: Any) -> None:
        self.before_val(runner)


class TryAlgorithms(Hook):
    """Lets cuDNN try its algorithms for training, whose batches have one shape; images that are tested may each have their own."""

    def before_train_epoch(self, runner: Any) -> None:
        torch.backends.cudnn.benchmark = True

    def before_val_epoch(self, runner: Any) -> None:
        torch.backends.cudnn.benchmark = False

    def before_test_epoch(self, runner: Any) -> None:
        torch.backends.cudnn.benchmark = False


def _loss(outputs: dict[str, Any] | None) -> float | None:
    """Of an iteration, as the model's step returns it."""
    loss = (outputs or {}).get("loss")
    return float(loss.detach()) if isinstance(loss, torch.Tensor) else None if loss is None else float(loss)


class StopOnNonFiniteLoss(Hook):
    """Ends a trial whose loss is NaN or infinite: what follows would be meaningless."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None) -> None:
        loss = _loss(outputs)
        if loss is not None and not math.isfinite(loss):
            raise TrialError(f"the loss is {loss} in epoch {runner.epoch + 1}, iteration {runner.iter + 1}")


class Curves(Hook):
    """Keeps the learning curves: the mean loss of each epoch, and what the validation says.

    Args:
        metrics: names of those that are kept, as ``val/<name>``.

    Attributes:
        points: name -> [epoch, value] from epoch 1 on, plain values that a checkpoint can hold.
    """

    def __init__(self, metrics: Iterable[str]):
        self.metrics = frozenset(metrics)
        self.points: dict[str, list[list[float]]] = {}
        self.losses: list[float] = []
        """Since the last point."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None) -> None:
        if (loss := _loss(outputs)) is not None:
            self.losses.append(loss)

    def after_train_epoch(self, runner: Any) -> None:
        self._add_loss(runner.iter / len(runner.train_dataloader) if in_iterations(runner) else runner.epoch + 1)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        epoch = runner.iter / len(runner.train_dataloader) if in_iterations(runner) else runner.epoch
        if in_iterations(runner):
            self._add_loss(epoch)
        for name, value in (metrics or {}).items():
            if name in self.metrics:
                self._add(f"val/{name}", epoch, float(value))

    def _add_loss(self, epoch: float) -> None:
        if self.losses:
            mean = math.fsum(self.losses) / len(self.losses)
            self._add("loss", epoch, mean if get_world_size() == 1 else _over_ranks(mean))
        self.losses = []

    def _add(self, name: str, epoch: float, value: float) -> None:
        self.points.setdefault(name, []).append([epoch, value])

    def arrays(self) -> dict[str, np.ndarray]:
        """Name -> (points, 2) float64 of epoch and value."""
        return {name: np.array(points, np.float64) for name, points in self.points.items()}


def _over_ranks(value: float) -> float:
    mean = torch.tensor(value, dtype=torch.float64)
    all_reduce(mean, "mean")
    return float(mean)


def averages(runner: Any) -> list[EMAHook]:
    """The hook that averages weights, where there is one."""
    return [hook for hook in runner.hooks if isinstance(hook, EMAHook)]


def average_for_good(runner: Any) -> None:
    """Training has ended: the averaged weights, where there are any, take the place of the last ones."""
    for hook in averages(runner):
        hook._swap_ema_parameters()
        runner.hooks.remove(hook)
