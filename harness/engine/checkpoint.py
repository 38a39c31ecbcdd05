"""A trial's state on disk while it trains, so that one that is killed goes on as if nothing had happened."""

from __future__ import annotations

import bisect
import io
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import EarlyStoppingHook, Hook
from torch.utils.data.dataloader import _SingleProcessDataLoaderIter

from harness.engine.hooks import Curves, averages, in_iterations
from harness.engine.ranks import bare
from harness.files import write_whole


class ResumeFailed(Exception):
    """The checkpoint was of no use and has been deleted; start the trial again."""


class Checkpoint(Hook):
    """Keeps the state between two epochs, after the validation, at most every ``every`` seconds, and resumes from it.

    A training that is counted in iterations is kept between two of these, by :class:`BetweenIterations`.

    The file holds tensors and plain values only (mmengine's own checkpoints pickle its message hub, which
    ``weights_only=True`` refuses). It appears whole or not at all; one that cannot be read, or was written with batches
    of another size (before or during a second try after running out of memory), is dropped.

    Args:
        curves: what has been learnt so far belongs to the state.
    """

    priority = "HIGHEST"  # before an epoch begins to change anything

    def __init__(self, file: Path, curves: Curves, every: float = 30.0):
        self.file = file
        self.curves = curves
        self.every = every
        self.saved_at = time.monotonic()

    def before_train(self, runner: Any) -> None:
        if not self.file.is_file():
            return
        try:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
            if state["epoch_length"] != len(runner.train_dataloader):
                raise ValueError("written with batches of another size, by which schedules count")
            bare(runner.model).load_state_dict(state["model"])
            runner.optim_wrapper.load_state_dict(state["optimizer"])
            for scheduler, saved in zip(runner.param_schedulers, state["schedulers"], strict=True):
                scheduler.load_state_dict(saved)
            self.curves.points, self.curves.losses = state["curves"], state["losses"]
            for hook in averages(runner):
                hook.ema_model.load_state_dict(state["average"])
            for hook, (count, best) in zip(_patient(runner), state["patience"], strict=True):
                hook.wait_count, hook.best_score = count, best
        except Exception as error:
            # torn, of other code or of other batches: the trial must not be worse off than without a checkpoint, and a
            # half-loaded state cannot be trusted
            self.file.unlink(missing_ok=True)
            raise ResumeFailed(str(error)) from error
        loop = runner.train_loop
        loop._epoch, loop._iter = state["epoch"], state["iter"]
        # the Runner has told the optimiser that training begins at iteration 0
        runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        if in_iterations(runner):
            loop.dataloader_iterator = _Advanced(loop.dataloader_iterator, runner.iter, lambda: _set_generators(state["generators"]))
            runner.logger.info(f"resumed after iteration {state['iter']}")
        else:
            runner.logger.info(f"resumed after epoch {state['epoch']}")

    def before_train_epoch(self, runner: Any) -> None:
        if runner.epoch > 0:
            self.save(runner, runner.iter)

    def save(self, runner: Any, done: int, generators: dict[str, Any] | None = None) -> None:
        """Write the state after ``done`` iterations, unless that was done a moment ago."""
        if time.monotonic() - self.saved_at < self.every or get_rank() > 0:
            return
        state = {
            "model": bare(runner.model).state_dict(),
            "optimizer": runner.optim_wrapper.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers],
            "epoch_length": len(runner.train_dataloader),
            "epoch": runner.epoch,
            "iter": done,
            "curves": self.curves.points,
            "losses": self.curves.losses,
            "patience": [(hook.wait_count, float(hook.best_score)) for hook in _patient(runner)],
            "generators": generators or {},
        }
        for hook in averages(runner):
            state["average"] = hook.ema_model.state_dict()
        # by way of the memory: on a full disk torch.save itself raises a RuntimeError, which would end the trial
        content = io.BytesIO()
        torch.save(state, content)
        try:
            write_whole(self.file, content.getbuffer())
        except OSError as error:
            runner.logger.warning(f"checkpoint not written: {error}")
        self.saved_at = time.monotonic()


def _patient(runner: Any) -> list[EarlyStoppingHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]


class BetweenIterations(Hook):
    """Has a training that is counted in iterations kept between two of them, once it has seen all data.

    Not in the middle of gradients that are put together, nor before a validation that is due: what follows is then what follows in an
    uninterrupted training. One of several processes on GPUs begins anew, since each draws for itself.
    """

    priority = "VERY_LOW"  # when everybody else has done with the iteration

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None) -> None:
        if in_iterations(runner) and not _is_validated_after(runner, runner.iter + 1):
            self._save(runner, runner.iter + 1)

    def after_val(self, runner: Any) -> None:
        if in_iterations(runner):
            self._save(runner, runner.iter)

    def _save(self, runner: Any, done: int) -> None:
        first = done < len(runner.train_dataloader)
        between = done % getattr(runner.optim_wrapper, "_accumulative_counts", 1)
        if not (first or between or done >= runner.max_iters or get_world_size() > 1):
            self.checkpoint.save(runner, done, _generators())


def _is_validated_after(runner: Any, done: int) -> bool:
    """As mmengine's loop decides, which asks once the hooks are through."""
    loop = runner.train_loop
    interval = loop.dynamic_intervals[bisect.bisect(loop.dynamic_milestones, done + 1) - 1]
    return runner.val_loop is not None and done >= loop.val_begin and (done % interval == 0 or done == runner.max_iters)


def _generators() -> dict[str, Any]:
    """The state of all generators, as tensors and plain values."""
    kind, key, *rest = np.random.get_state()
    cuda: Any = torch.cuda
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(key, np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": cuda.get_rng_state() if cuda.is_initialized() else None,
    }


def _set_generators(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    kind, key, *rest = state["numpy"]
    np.random.set_state((kind, key.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])


class _Advanced:
    """The batches of a resumed training. mmengine's loop asks for those that have been, too: they are passed over unread.

    Args:
        batches: mmengine's iterator, at its beginning.
        behind: how many have been.
        then: is called when these are passed over.
    """

    def __init__(self, batches: Any, behind: int, then: Callable[[], None]):
        self.batches = batches
        self.behind = behind
        self.then = then

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self.behind:
            return next(self.batches)
        self.behind -= 1
        inner: Any = self.batches._iterator
        try:
            if type(inner) is not _SingleProcessDataLoaderIter:  # workers have begun to read
                raise StopIteration
            inner._next_index()  # type: ignore[no-untyped-call]  # torch has no types here
        except StopIteration:  # the end of the data, where mmengine begins them again
            next(self.batches)
        if not self.behind:
            self.then()
        return None
