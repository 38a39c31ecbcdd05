"""Compute what a benchmark's frozen backbone makes of its dataset, before any trial asks for it."""

from __future__ import annotations

import logging
import tempfile
import uuid
from pathlib import Path

from mmengine.runner import Runner

from harness import openmmlab
from harness.benchmarks import register
from harness.benchmarks.base import SPLITS
from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.compose import Trial
from harness.compose.bare import bare_config
from harness.engine.lookup import Lookup, Told
from harness.engine.runner import PlainConfig
from harness.engine.threads import one_thread
from harness.errors import UsageError
from harness.features import room


def build(trial: Trial, *, data: Path, device: str, told: Told) -> int:
    """Keep the features of all splits; how many samples they have.

    Args:
        trial: any of the benchmark; its plugins are loaded, and it says where its weights lie.
        data: the dataset's folder.
        told: of the progress.

    Raises:
        UsageError: the backbone is trained, so that there is nothing to keep; or only a run knows what is looked at.
    """
    if not trial.config["model"].get("frozen"):
        raise UsageError(f"benchmark '{trial.benchmark}' trains its backbone, so there are no features to keep. --set model.frozen=true.")
    if "train_dataloader" not in trial.config:
        raise UsageError(f"benchmark '{trial.benchmark}' trains nothing and keeps its features when it is run.")
    register.setup()
    openmmlab.use_device(device)
    if device == "cpu":
        one_thread()  # as in a trial: digits depend on it
    count = 0
    with tempfile.TemporaryDirectory() as work_dir, openmmlab.explained():
        config = bare_config(trial, data, Path(work_dir)) | {"log_level": "ERROR", "experiment_name": uuid.uuid4().hex}
        runner = Runner.from_cfg(PlainConfig(config))
        logging.getLogger("mmengine").propagate = False
        runner.model.eval()
        assert isinstance(runner.model.backbone, FrozenBackbone)
        lookup = Lookup(trial, runner.model, told)
        for split in SPLITS:
            loader = runner.build_dataloader(config[f"{split}_dataloader"])
            if len(loader.dataset) and lookup.prepared(loader.dataset, loader.collate_fn, split) is None:
                mend = f"Give more gigabytes with {room.LIMIT}, or free the disk."
                raise UsageError(f"the features of '{trial.benchmark}' are more than may be kept. {mend}")
            count += len(loader.dataset)
    return count
