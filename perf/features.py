"""What kept features of a frozen backbone save: a trial against a plain loop, and a board against one mmpretrain run per cell.

    python perf/features.py --data-root DIR [--benchmark cifar10-features] [--methods 13] [--seeds 5]

All figures are seconds of CPU time (user and system) of the processes that compute, which other load does not change much. *Plain loop*:
torch alone, the same epochs, batches, optimiser, head and pooling over the same features in memory. *mmpretrain run*: mmengine's Runner on
the trial's own config, in a process of its own, which computes the frozen backbone in every epoch; one cell is timed and multiplied. Of a
board one command runs one seed with no feature kept, and another as many further seeds as the board has: the board with features kept.
Without them it takes the first command and what the second takes for all seeds but one. A trial's *training* is its epochs, without looks
at the validation; it and the plain loop are run in turns, and the ratio is the median of the pairs'.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

GOALS = {"training": 1.5, "cold": 20.0, "warm": 100.0}
POOLINGS = (
    "gap",
    "max-pool",
    "gem",
    "lse",
    "how",
    "k-means",
    "otk",
    "slot-attention",
    "se",
    "cbam",
    "vit-cls",
    "cait-class-attention",
    "simpool",
)

_RUN = """
import sys
from harness.cli import main
main(sys.argv[1:], prog_name="harness")
"""

_MMPRETRAIN = """
import json, sys, torch
torch.set_num_threads(1)
from harness.benchmarks import register
register.setup()
from harness.catalog.plugins import discover, load_plugins
from mmengine.config import Config
from mmengine.runner import Runner
config = Config(json.loads(open(sys.argv[1]).read()))
load_plugins({config.model.model.neck.plugin}, discover())
runner = Runner.from_cfg(config)
runner.model.backbone.caching = False
runner.train()
runner.test()
"""


def cpu(command: list[str], **environment: str) -> float:
    """CPU seconds of a command and all it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def planned(name: str, method: str, data_root: Path) -> tuple[Any, Path]:
    """A trial and the folder of its data."""
    from harness import data
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover
    from harness.compose import Selection, plan

    found = plan(Selection(methods=(method,), benchmarks=(name,), data_root=data_root), load_catalog(), discover())
    return found.trials[0], data.ready(found.tasks[name], data_root).folder


def training(trial: Any, folder: Path, pairs: int = 5) -> tuple[float, float, float]:
    """CPU seconds of the epochs of a warm trial and of the plain loop over the same, and the former over the latter; medians of pairs."""
    from harness.benchmarks import register

    register.setup()  # before anything else of OpenMMLab
    from threadpoolctl import threadpool_limits

    from harness.catalog.plugins import discover, load_plugins

    load_plugins({*trial.plugins}, discover())
    threadpool_limits(1)
    gc.collect()
    gc.freeze()  # as before trials are forked
    kept: dict[str, Any] = {}
    found = [(epochs(trial, folder, kept), plain_loop(trial, folder, kept)) for _ in range(pairs)]
    ours, plain = (statistics.median(each) for each in zip(*found, strict=True))
    return ours, plain, statistics.median(one / other for one, other in found)


def epochs(trial: Any, folder: Path, kept: dict[str, Any]) -> float:
    """CPU seconds of a trial's epochs; its features and labels are left in ``kept``."""
    from harness.engine import trial as engine
    from harness.engine.loop import FeatureEpochs

    epoch, seconds = FeatureEpochs.run_epoch, 0.0

    def timed(self: Any) -> None:
        nonlocal seconds
        start = time.process_time()
        epoch(self)
        seconds += time.process_time() - start
        kept["loader"] = self.dataloader
        kept["backbone"] = self.runner.model.backbone

    FeatureEpochs.run_epoch = timed  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as work:
            engine.run_trial(trial, data=folder, work_dir=Path(work))
    finally:
        FeatureEpochs.run_epoch = epoch  # type: ignore[method-assign]
    return seconds


def plain_loop(trial: Any, folder: Path, kept: dict[str, Any]) -> float:
    """CPU seconds of torch alone on what :func:`epochs` has left."""
    from mmengine.registry import MODELS

    from harness.compose.bare import bare_config

    dataset = kept["loader"].dataset
    (features,) = kept["backbone"](torch.arange(len(dataset)) + dataset.first)
    labels = torch.tensor([info["gt_label"] for info in dataset.infos])
    with tempfile.TemporaryDirectory() as work:
        config = bare_config(trial, folder, Path(work))
    model = MODELS.build(config["model"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["optim_wrapper"]["optimizer"]["lr"], weight_decay=0.01)
    size = config["train_dataloader"]["batch_size"]
    start = time.process_time()
    for _ in range(config["train_cfg"]["max_epochs"]):
        for rows in torch.randperm(len(labels)).split(size):
            loss = torch.nn.functional.cross_entropy(model.head.fc(model.neck((features[rows],))[0]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.process_time() - start


def one_run(trial: Any, folder: Path) -> float:
    """CPU seconds of one mmpretrain run of a trial, imports and all, which computes the backbone in every epoch."""
    import json

    from harness.compose.bare import bare_config

    with tempfile.TemporaryDirectory() as work:
        config = bare_config(trial, folder, Path(work) / "out")
        (Path(work) / "config.json").write_text(json.dumps(config))
        return cpu([sys.executable, "-c", _MMPRETRAIN, f"{work}/config.json"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--benchmark", default="cifar10-features")
    parser.add_argument("--methods", type=int, default=len(POOLINGS), help="how many of the poolings")
    parser.add_argument("--seeds", type=int, default=5, help="of the board")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["HARNESS_CACHE"] = f"{home}/cache"
        methods = [part for name in POOLINGS[: options.methods] for part in ("-m", name)]
        ask = ["run", *methods, "-b", options.benchmark, "--workers", "1", "--device", "cpu"]
        ask += ["--data-root", str(options.data_root), "--db", f"sqlite:///{home}/harness.db"]
        cells = options.methods * options.seeds
        trial, folder = planned(options.benchmark, "gap", options.data_root)
        first, warm = (cpu([sys.executable, "-c", _RUN, *ask, "--seeds", str(seeds)]) for seeds in (1, 1 + options.seeds))
        cold = first + warm * (options.seeds - 1) / options.seeds
        print(
            f"{options.methods} cells with no feature kept {first:.1f} s; {cells} cells: cold {cold:.1f} s, warm {warm:.1f} s", flush=True
        )
        ours, plain, ratio = training(trial, folder)
        print(f"training of a warm gap trial {ours:.2f} s, plain loop {plain:.2f} s", flush=True)
        single = one_run(trial, folder)
        print(f"one mmpretrain run {single:.1f} s, {cells * single:.0f} s for all cells")
    ratios = {"training": ratio, "cold": cells * single / cold, "warm": cells * single / warm}
    for name, ratio in ratios.items():
        met = ratio <= GOALS[name] if name == "training" else ratio >= GOALS[name]
        print(
            f"{name}: {ratio:.2f} x, goal {'at most' if name == 'training' else 'at least'} {GOALS[name]:g} x: {'met' if met else 'missed'}"
        )


if __name__ == "__main__":
    main()
