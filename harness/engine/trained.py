"""A trained model again: its weights in the model of a benchmark, to be tested or to look at images."""

from __future__ import annotations

import logging
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings
from torch import Tensor

from harness import openmmlab
from harness.benchmarks import register
from harness.benchmarks.spelled import form
from harness.benchmarks.task import family
from harness.compose import Trial
from harness.compose.bare import bare_config
from harness.engine.hooks import SeedEachEpoch
from harness.engine.kept import Keep, about, weights
from harness.engine.runner import PlainConfig, TrialRunner
from harness.engine.threads import one_thread
from harness.errors import UsageError

_TRAINING = ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler", "auto_scale_lr", "val_dataloader", "val_cfg",
             "val_evaluator", "custom_hooks")  # fmt: skip


def evaluate(trial: Trial, file: Path, *, data: Path, device: str, out: Path | None = None) -> dict[str, float]:
    """The metrics of kept weights in a test as the trial has it.

    Args:
        trial: says model, data and metrics; its plugins are loaded.
        file: of the weights.
        data: the dataset's folder.
        out: where predictions are written, if at all.

    Raises:
        UsageError: the weights are those of another model, or it counts the classes in another order.
    """
    with tempfile.TemporaryDirectory() as work_dir:
        runner = loaded(trial, file, data=data, work_dir=Path(work_dir), device=device)
        if not family(trial.family).by_features:
            _same_order(about(file)["classes"], getattr(runner.test_dataloader.dataset, "metainfo", None) or {}, trial.benchmark)
        keeper = Keep(out) if out else None
        for hook in (SeedEachEpoch(trial.seed), *([keeper] if keeper else [])):
            runner.register_hook(hook)
        with openmmlab.explained():
            found = {name: float(value) for name, value in runner.test().items()}
        if keeper and keeper.predictions:
            keeper.predictions.write()
        return found


def loaded(trial: Trial, file: Path, *, data: Path, work_dir: Path, device: str) -> Runner:
    """A runner that can test, whose model has the weights of ``file``.

    Raises:
        UsageError: they are those of another model.
    """
    register.setup()
    openmmlab.use_device(device)
    if device == "cpu":
        one_thread()
    config = bare_config(trial, data, work_dir)
    for name in _TRAINING:
        config.pop(name, None)
    config["model"].pop("weights", None)  # all of them are in the file
    config.setdefault("channels_last", device == "cpu" or config.get("precision") in ("bf16", "fp16"))
    config["recompute"] = False
    config["experiment_name"] = uuid.uuid4().hex
    if imports := config.get("custom_imports"):
        import_modules_from_strings(**imports)
    with openmmlab.explained():
        runner = TrialRunner.from_cfg(PlainConfig(config))
    logging.getLogger("mmengine").propagate = False
    own, kept = runner.model.state_dict(), weights(file)
    if wrong := _difference(own, kept):
        raise UsageError(f"{file} holds the weights of another model than '{trial.benchmark}' has with '{trial.method}': {wrong}")
    runner.model.load_state_dict(kept)
    return runner


def _same_order(kept: list[str], metainfo: Mapping[str, Any], benchmark: str) -> None:
    """Refuse classes that the network counts in another order, be they all or some beside others of which it knows nothing.

    Numbers are no names: of the same classes one dataset may count from 0 and another from 1.
    """
    found = [*map(str, metainfo.get("classes", ()))]
    orders = f"{', '.join(kept[:6])}, and '{benchmark}' has {', '.join(found[:6])}"
    if kept != found and sorted(kept) == sorted(found):
        raise UsageError(f"the weights tell the same classes in another order: {orders}. Give these the order, or the ids, of the former.")
    there, here = ({form(name).casefold(): place for place, name in enumerate(names)} for names in (kept, found))
    for name, place in there.items() if (len(there), len(here)) == (len(kept), len(found)) else ():
        if not name.isdecimal() and here.get(name, place) != place:
            what = f"number {place} of the classes that the weights tell and number {here[name]} of '{benchmark}', counted from 0"
            raise UsageError(f"'{kept[place]}' is {what}: {orders}. Test the weights on a dataset of the former classes in that order.")


def _difference(own: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> str:
    for name in [*own, *kept]:
        if name not in kept:
            return f"it lacks '{name}'."
        if name not in own:
            return f"'{name}' has no place there."
        if own[name].shape != kept[name].shape:
            return f"'{name}' is {tuple(kept[name].shape)} and would have to be {tuple(own[name].shape)}."
    return ""
