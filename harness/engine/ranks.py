"""One trial on several devices: a process for each, started by torch's own launcher, and gradients averaged over all.

The batch of the schedule is that of all devices together: each gets a part of it, batch normalization sees all parts (on GPUs), and
what the trial yields is what one device would.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.dist import get_world_size
from mmengine.model import is_model_wrapper
from mmengine.model.utils import revert_sync_batchnorm
from torch import nn

from harness.engine.isolate import one_line
from harness.errors import HarnessError, TrialError, UsageError
from harness.outcome import Outcome

_ERROR = "rank_error.json"


def spread(work: Callable[[str], Outcome], devices: list[str], folder: Path, kind: Callable[[BaseException], str]) -> Outcome:
    """What ``work`` returns in the first of the processes, each of which calls it with its own device.

    Args:
        folder: of the trial; why a process failed is written there.
        kind: of an error: ``no-result``, ``out-of-memory``, ``error``.

    Raises:
        TrialError, torch.OutOfMemoryError, HarnessError: a process failed so.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    told = folder / _ERROR
    told.unlink(missing_ok=True)

    def rank() -> Outcome | None:
        number = int(os.environ["LOCAL_RANK"])
        try:
            if devices[number].startswith("cuda"):
                torch.cuda.set_device(devices[number])
            torch.distributed.init_process_group("nccl" if devices[number].startswith("cuda") else "gloo")
            outcome = work(devices[number])
            torch.distributed.destroy_process_group()
            return outcome if number == 0 else None
        except BaseException as error:
            with contextlib.suppress(FileExistsError), told.open("x") as stream:
                json.dump([kind(error), one_line(error)], stream)
            raise

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=len(devices),
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
        max_restarts=0,
        monitor_interval=0.1,
    )
    try:
        found: dict[int, Outcome] = elastic_launch(config, rank)()
    except ChildFailedError as error:
        what, reason = json.loads(told.read_text()) if told.is_file() else ("error", one_line(error))
        raised = {"no-result": TrialError, "out-of-memory": torch.OutOfMemoryError}.get(what, HarnessError)
        raise raised(reason) from None
    return found[0]


def share(config: dict[str, Any], device: str) -> None:
    """Make a trial's config that of one process among several; of one alone it is left as it is.

    Raises:
        UsageError: the batch cannot be divided, or nothing is trained.
    """
    count = get_world_size()
    if count == 1:
        return
    if "train_dataloader" not in config:
        raise UsageError("this benchmark trains nothing, so that several devices cannot share a trial. Give one device to each.")
    loader = config["train_dataloader"]
    if loader["batch_size"] % count:
        raise UsageError(f"schedule.batch_size: {loader['batch_size']} images cannot be divided among {count} devices. Choose a multiple.")
    loader["batch_size"] //= count
    config["launcher"] = "pytorch"
    # a method may leave parameters unused in a pass; the device is that of the model and not the process's number
    config["model_wrapper_cfg"] = {"type": "MMDistributedDataParallel", "find_unused_parameters": True, "device_ids": None}
    if device.startswith("cuda"):
        config["sync_bn"] = "torch"


def bare(model: nn.Module) -> nn.Module:
    """The model itself, where it is wrapped for several processes."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def alone(model: nn.Module) -> nn.Module:
    """The model as one process can use it after the others have ended."""
    found: nn.Module = revert_sync_batchnorm(bare(model))
    return found


def report() -> dict[str, Any]:
    """For the record."""
    count = get_world_size()
    return {"devices": count} if count > 1 else {}
