"""Run one trial in this process with mmengine's Runner."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings
from torch import nn

from harness import openmmlab
from harness.benchmarks import family, register
from harness.benchmarks.base import undeclared
from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.compose import Trial
from harness.compose.bare import bare_config
from harness.diagnostics import first_epoch
from harness.diagnostics.collect import diagnose
from harness.diagnostics.collect import labels as labels_of
from harness.engine import cost, environment, pulse, quiet, ranks, unseen
from harness.engine.begun import begun
from harness.engine.checkpoint import BetweenIterations, Checkpoint, ResumeFailed
from harness.engine.computing import Computing, computing
from harness.engine.finite import FinitePredictions
from harness.engine.hooks import Curves, SeedEachEpoch, StopOnNonFiniteLoss, TryAlgorithms, average_for_good
from harness.engine.kept import Keep
from harness.engine.loading import Loading
from harness.engine.lookup import Lookup
from harness.engine.runner import PlainConfig, TrialRunner
from harness.engine.threads import one_thread
from harness.errors import TrialError, UsageError
from harness.outcome import DOUBT, GUESS, LABEL, MOST_CLASSES, ROUGH, Confusion, Cost, Outcome
from harness.slots import observing
from harness.texts import one_line


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the machine has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(spelling in text for spelling in _OUT_OF_MEMORY)


def kind_of(error: BaseException) -> str:
    """``no-result``, ``out-of-memory`` or ``error``."""
    if isinstance(error, TrialError):
        return "no-result"
    return "out-of-memory" if is_out_of_memory(error) else "error"


_OUT_OF_MEMORY = (
    "can't allocate memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_INITIALIZED",
)
"""How torch and the libraries below it say so; one that cannot make its own work space calls itself not initialized."""


def _smaller_batches(config: dict[str, Any], divisor: int) -> None:
    """The same optimisation steps from smaller batches: gradients are accumulated. Where nothing is trained nothing is left to do."""
    if "train_dataloader" not in config:
        return
    loader = config["train_dataloader"]
    loader["batch_size"] = max(1, math.ceil(loader["batch_size"] / divisor))
    wrapper = config["optim_wrapper"]
    wrapper["accumulative_counts"] = divisor * wrapper.get("accumulative_counts", 1)
    for other in ("val_dataloader", "test_dataloader"):
        if other in config:
            config[other]["batch_size"] = max(1, math.ceil(config[other]["batch_size"] / divisor))


def run_trial(
    trial: Trial,
    *,
    data: Path,
    work_dir: Path,
    device: str = "cpu",
    batch_divisor: int = 1,
    recompute: bool = False,
    loader_workers: int | None = 0,
    spare_cores: int = 0,
    deterministic: bool = False,
) -> Outcome:
    """Train and test one trial; one that only helps to choose options is not tested, its result is its learning curves, and one whose
    config has no training is tested alone.

    The plugins the trial needs must be loaded (see :mod:`harness.catalog.plugins`). A checkpoint left in
    ``work_dir`` by an interrupted run of the same trial is resumed.

    Args:
        data: the dataset's folder.
        work_dir: existing folder for logs and the checkpoint.
        device: ``cpu`` or ``cuda[:N]``; several, joined by commas, train it together (:mod:`harness.engine.ranks`).
        batch_divisor: train with batches this many times smaller and accumulate gradients.
        recompute: make the backbone's activations anew for the backward pass; slower, with less memory, and the same result.
        loader_workers, spare_cores: see :class:`~harness.engine.loading.Loading`.
        deterministic: take deterministic kernels on a GPU, where there are any.

    Raises:
        TrialError: the trial cannot yield a result; the message is the reason.
        UsageError: its config names a type that no registry has, or asks for what the device cannot do.
    """
    precision = trial.config.get("precision", "fp32")
    if precision == "fp16" and device.startswith("cpu"):
        raise UsageError("schedule.precision: fp16 needs a GPU, since its gradients are scaled there. On a CPU choose bf16 or fp32.")
    register.setup()
    if device.startswith("cpu"):
        one_thread()
    if len(devices := device.split(",")) > 1:
        again = partial(
            run_trial,
            trial,
            data=data,
            work_dir=work_dir,
            batch_divisor=batch_divisor,
            recompute=recompute,
            loader_workers=loader_workers,
            spare_cores=spare_cores // len(devices),
            deterministic=deterministic,
        )
        return ranks.spread(lambda own: again(device=own), devices, work_dir, kind_of)
    loading = Loading(trial.seed, device, loader_workers, spare_cores, ranked=get_world_size() > 1)
    openmmlab.use_device(device)
    with ExitStack() as stack:
        stack.enter_context(openmmlab.explained())
        stack.enter_context(_single_values_explained())
        stack.enter_context(quiet.staying(device))
        how = stack.enter_context(computing(device, tf32=precision != "fp32", deterministic=deterministic))
        run = partial(_run, trial, data, work_dir, how, loading, batch_divisor, recompute)
        try:
            return run()
        except ResumeFailed:
            return run()


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


def _run(trial: Trial, data: Path, work_dir: Path, how: Computing, loading: Loading, batch_divisor: int, recompute: bool) -> Outcome:
    device = how.device
    started = time.perf_counter()
    trial = begun(trial, work_dir.parent)
    config = bare_config(trial, data, work_dir)
    ranks.share(config, device)
    if batch_divisor > 1:
        _smaller_batches(config, batch_divisor)
    if trial.purpose:  # what decides is the last look
        config["train_cfg"]["val_interval"] = config["train_cfg"].get("max_epochs") or config["train_cfg"]["max_iters"]
    config.setdefault("channels_last", device == "cpu" or config.get("precision") in ("bf16", "fp16"))
    config["recompute"] = recompute
    if imports := config.get("custom_imports"):
        import_modules_from_strings(**imports)
    # mmengine names loggers and message hubs by the second, and would give this trial those of another one
    config["experiment_name"] = uuid.uuid4().hex
    runner = TrialRunner.from_cfg(PlainConfig(config))
    logging.getLogger("mmengine").propagate = False
    runner.loading = loading
    model, first = ranks.bare(runner.model), get_rank() == 0
    if get_world_size() == 1 and Lookup.fits(model):
        runner.lookup = Lookup(trial, model)
    model.register_forward_pre_hook(lambda *_: quiet.pass_by())
    passes = itertools.count()
    model.register_forward_hook(lambda *_: pulse.beat(_reserved(device) if next(passes) % _LOOK == 0 else 0))
    checkpoint, artifacts = work_dir / "checkpoint.pth", work_dir / "artifacts"
    _drop_empty_validation(runner)
    beginning = first_epoch.FirstEpoch(artifacts / first_epoch.FILE)
    curves = Curves([metric.name for metric in trial.metrics])
    watching = (beginning,) if first else ()
    keeping = Checkpoint(checkpoint, curves)
    judged = FinitePredictions()
    for hook in (SeedEachEpoch(trial.seed), StopOnNonFiniteLoss(), judged, *watching, curves, keeping, BetweenIterations(keeping)):
        runner.register_hook(hook)
    built = time.perf_counter()
    if device.startswith("cuda") and not how.deterministic:
        runner.register_hook(TryAlgorithms())
    _gather(runner)
    untrained: list[str] = []
    if "train_cfg" in config:
        with observing(beginning) if first else contextlib.nullcontext():
            runner.train()
        untrained = unseen.notes(model, runner.optim_wrapper)
        average_for_good(runner)
    _flush(model)
    trained = time.perf_counter()
    learnt = Outcome(
        metrics={},
        cost=Cost(),
        curves=curves.arrays(),
        environment=environment.describe(device) | loading.report() | ranks.report(),
        notes=[*getattr(model, "notes", ())],
        durations={"build": built - started, "train": trained - built},
    )
    if batch_divisor > 1:
        learnt.notes.insert(0, f"ran out of memory; batches {batch_divisor} times smaller, gradients accumulated")
    keeper = Keep(artifacts) if trial.keep and first else None
    if keeper:
        runner.register_hook(keeper)
    outcome = learnt if trial.purpose else _tested(runner, trial, learnt, artifacts, device)
    if doubts := [*untrained, *judged.notes]:
        outcome.notes += doubts
        outcome.labels = {**outcome.labels, DOUBT: "; ".join(doubts)}
    if keeper:
        keeper.write(trial, outcome.metrics)
    outcome.environment |= how.report()
    outcome.notes += how.notes()
    if first:
        checkpoint.unlink(missing_ok=True)
    return outcome


_LOOK = 16
"""Forward passes from one look at a GPU's memory to the next: a look takes a tenth of a millisecond."""


def _reserved(device: str) -> int:
    """Bytes of a GPU that this process has taken at most."""
    return torch.cuda.max_memory_reserved(device) if device.startswith("cuda") else 0


def _tested(runner: TrialRunner, trial: Trial, learnt: Outcome, artifacts: Path, device: str) -> Outcome:
    """What training yielded, with test, diagnostics and costs."""
    trained = time.perf_counter()
    metrics = runner.test()
    _flush(ranks.bare(runner.model))
    if runner.lookup is not None:
        runner.lookup.restore(runner)
    tested = time.perf_counter()
    if get_rank() > 0:
        return learnt
    runner.model = ranks.alone(runner.model)
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
        confusion=_confusion(runner),
        diagnostics=diagnostics,
        notes=[
            *learnt.notes,
            *(note for metric in scorers for note in getattr(metric, "notes", ())),
            *notes,
            *doubts,
        ],
        labels={name: text for metric in scorers for name, text in getattr(metric, "labels", {}).items()}
        | labels_of(diagnostics)
        | ({ROUGH: "latency_ms"} if doubts else {}),
        durations={
            **learnt.durations,
            "test": tested - trained,
            "diagnostics": described - tested,
            "cost": costed - described,
        },
    )


def _flush(model: nn.Module) -> None:
    """Keep what a frozen backbone has computed."""
    if isinstance(model.backbone, FrozenBackbone):
        model.backbone.flush()


def _gather(runner: Runner) -> None:
    """Have what several processes score put together without a folder for it."""
    if get_world_size() > 1:
        for loop in (runner.val_loop, runner.test_loop):
            for metric in loop.evaluator.metrics if loop is not None else ():
                metric.collect_device = "gpu"


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


def _confusion(runner: Runner) -> Confusion | None:
    for metric in runner.test_evaluator.metrics:
        found: Confusion | None = getattr(metric, "confusion", None)
        scores = getattr(metric, "per_sample", {})
        if found is None and LABEL in scores and GUESS in scores:
            found = Confusion.of_images(scores[LABEL], scores[GUESS], (metric.dataset_meta or {}).get("classes") or ())
        if found is not None and len(found.classes) <= MOST_CLASSES:
            return replace(found, classes=tuple(one_line(str(name)).strip()[:255] for name in found.classes))
    return None


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
    trained = runner._train_dataloader is not None
    return replace(found, train_memory_mb=cost.training_memory(runner, device) if trained else None), notes
