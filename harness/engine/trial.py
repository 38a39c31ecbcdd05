"""Run one trial in this process with mmengine's Runner."""

from __future__ import annotations

import contextlib
import logging
import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from pprint import pformat
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from harness import openmmlab
from harness.benchmarks import family, register
from harness.benchmarks.base import undeclared
from harness.benchmarks.parts.layout import channels_last
from harness.compose import Trial
from harness.compose.bare import bare_config, reorders
from harness.diagnostics import first_epoch
from harness.diagnostics.collect import diagnose
from harness.diagnostics.collect import labels as labels_of
from harness.engine import cost, environment, pulse
from harness.engine.hooks import Checkpoint, Curves, ResumeFailed, SeedEachEpoch, StopOnNonFiniteLoss
from harness.engine.kept import Keep
from harness.errors import TrialError
from harness.outcome import Cost, Outcome
from harness.slots import observing


class PlainConfig(Config):
    """A config that is written as Python without a code formatter, which mmengine lays it out with four times a trial: 0.1 to 3 s."""

    @property
    def pretty_text(self) -> str:
        return "\n".join(f"{name} = {pformat(value, width=120, sort_dicts=False)}" for name, value in self.to_dict().items()) + "\n"


class TrialRunner(Runner):
    """mmengine's Runner, without the survey of the machine it writes into each log: the record keeps one."""

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        pass


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the machine has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "CUDA out of memory" in text)


def _smaller_batches(config: dict[str, Any], divisor: int) -> None:
    """The same optimisation steps from smaller batches: gradients are accumulated."""
    loader = config["train_dataloader"]
    loader["batch_size"] = max(1, math.ceil(loader["batch_size"] / divisor))
    config["optim_wrapper"]["accumulative_counts"] = divisor
    for other in ("val_dataloader", "test_dataloader"):
        if other in config:
            config[other]["batch_size"] = max(1, math.ceil(config[other]["batch_size"] / divisor))


def run_trial(trial: Trial, *, data: Path, work_dir: Path, device: str = "cpu", batch_divisor: int = 1) -> Outcome:
    """Train and test one trial; one that only helps to choose options is not tested, its result is its learning curves.

    The plugins the trial needs must be loaded (see :mod:`harness.catalog.plugins`). A checkpoint left in
    ``work_dir`` by an interrupted run of the same trial is resumed.

    Args:
        data: the dataset's folder.
        work_dir: existing folder for logs and the checkpoint.
        device: ``cpu`` or ``cuda[:N]``.
        batch_divisor: train with batches this many times smaller and accumulate gradients.

    Raises:
        TrialError: the trial cannot yield a result; the message is the reason.
        UsageError: its config names a type that no registry has.
    """
    register.setup()
    openmmlab.use_device(device)
    if device == "cpu":
        # one thread per trial: cores are for other trials, and sums do not depend on the number of workers
        torch.set_num_threads(1)
    with openmmlab.explained(), _single_values_explained():
        try:
            return _run(trial, data, work_dir, device, batch_divisor)
        except ResumeFailed:
            return _run(trial, data, work_dir, device, batch_divisor)


@contextlib.contextmanager
def _single_values_explained() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrialError(
            "the method normalizes over a batch behind a global pooling, and a batch of one image has a single value per channel there. "
            "Set schedule.batch_size to 2 or more, and give at least 2 training images"
        ) from error


def _run(trial: Trial, data: Path, work_dir: Path, device: str, batch_divisor: int) -> Outcome:
    started = time.perf_counter()
    config = bare_config(trial, data, work_dir)
    if batch_divisor > 1:
        _smaller_batches(config, batch_divisor)
    if trial.purpose:  # what decides is the last look
        config["train_cfg"]["val_interval"] = config["train_cfg"].get("max_epochs") or config["train_cfg"]["max_iters"]
    if imports := config.get("custom_imports"):
        import_modules_from_strings(**imports)
    # mmengine names loggers and message hubs by the second, and would give this trial those of another one
    config["experiment_name"] = uuid.uuid4().hex
    runner = TrialRunner.from_cfg(PlainConfig(config))
    logging.getLogger("mmengine").propagate = False
    if device == "cpu" and reorders(trial):
        channels_last(runner.model.backbone)
    runner.model.register_forward_hook(lambda *_: pulse.beat())
    checkpoint, artifacts = work_dir / "checkpoint.pth", work_dir / "artifacts"
    _drop_empty_validation(runner)
    beginning = first_epoch.FirstEpoch(artifacts / first_epoch.FILE)
    curves = Curves([metric.name for metric in trial.metrics])
    for hook in (SeedEachEpoch(trial.seed), StopOnNonFiniteLoss(), beginning, curves, Checkpoint(checkpoint, curves)):
        runner.register_hook(hook)
    built = time.perf_counter()
    with observing(beginning):
        runner.train()
    trained = time.perf_counter()
    learnt = Outcome(
        metrics={},
        cost=Cost(),
        curves=curves.arrays(),
        environment=environment.describe(device),
        notes=[*getattr(runner.model, "notes", ())],
        durations={"build": built - started, "train": trained - built},
    )
    if batch_divisor > 1:
        learnt.notes.insert(0, f"ran out of memory; batches {batch_divisor} times smaller, gradients accumulated")
    keeper = Keep(artifacts) if trial.keep else None
    if keeper:
        runner.register_hook(keeper)
    outcome = learnt if trial.purpose else _tested(runner, trial, learnt, artifacts, device)
    if keeper:
        keeper.write(trial, outcome.metrics)
    checkpoint.unlink(missing_ok=True)
    return outcome


def _tested(runner: Runner, trial: Trial, learnt: Outcome, artifacts: Path, device: str) -> Outcome:
    """What training yielded, with test, diagnostics and costs."""
    trained = time.perf_counter()
    metrics = runner.test()
    tested = time.perf_counter()
    diagnostics, notes = _diagnostics(runner, trial.family, artifacts)
    described = time.perf_counter()
    measured, doubts = _cost(runner, device)
    costed = time.perf_counter()
    scorers = runner.test_evaluator.metrics
    return replace(
        learnt,
        metrics=_declared(metrics, trial),
        cost=measured,
        per_sample=_per_sample(runner),
        diagnostics=diagnostics,
        notes=[
            *learnt.notes,
            *(note for metric in scorers for note in getattr(metric, "notes", ())),
            *notes,
            *doubts,
        ],
        labels={name: text for metric in scorers for name, text in getattr(metric, "labels", {}).items()} | labels_of(diagnostics),
        durations={
            **learnt.durations,
            "test": tested - trained,
            "diagnostics": described - tested,
            "cost": costed - described,
        },
    )


def _drop_empty_validation(runner: Runner) -> None:
    """Where a dataset has no validation split, train without looking at one; its report, a note of the trial, says so."""
    if runner.val_loop is not None and not len(runner.val_loop.dataloader.dataset):
        runner._val_loop = None


def _declared(metrics: dict[str, Any], trial: Trial) -> dict[str, float]:
    """What the evaluator returned, if it is what the family declares and finite or NaN.

    Raises:
        TrialError: it is not; the leaderboard would not know how to read it, or miss it without a word.
    """
    values = {name: float(value) for name, value in metrics.items()}
    infinite = [name for name, value in values.items() if math.isinf(value)]
    if not values:
        raise TrialError("the evaluation returned no metric")
    if infinite:
        raise TrialError(f"the metric {infinite[0]} is infinite")
    if wrong := next(undeclared(values, trial.metrics), None):
        raise TrialError(f"{wrong}. Declare each metric in the family's scores, where it is computed.")
    return values


def _per_sample(runner: Runner) -> dict[str, np.ndarray]:
    scores: dict[str, np.ndarray] = {}
    for metric in runner.test_evaluator.metrics:
        for name, values in getattr(metric, "per_sample", {}).items():
            scores[name] = np.asarray(values, dtype=np.float32)
    return scores


def _diagnostics(runner: Runner, name: str, artifacts: Path) -> tuple[dict[str, float], list[str]]:
    """Diagnostics of the attention, and notes of what could not be had: they never cost a trial its result."""
    try:
        # a family of another package need not say what its predictions look like
        read = getattr(family(name).room("pictures"), "marks", None)
        marks = None if read is None else partial(read, evaluator=runner.test_evaluator)
        found, notes = diagnose(runner.model, runner.test_dataloader, pictures=artifacts, marks=marks)
        return found | first_epoch.ends(artifacts / first_epoch.FILE), notes
    except Exception as error:
        runner.logger.exception("diagnostics failed")
        return {}, [f"no diagnostics: {type(error).__name__}: {error}"]


def _cost(runner: Runner, device: str) -> tuple[Cost, list[str]]:
    """What the model costs, and notes about it. The model is not the same afterwards: a step of training is measured, too."""
    loader = runner.test_dataloader
    found, notes = cost.measure(runner.model, loader.collate_fn([loader.dataset[0]]), device)
    return replace(found, train_memory_mb=cost.training_memory(runner, device)), notes
