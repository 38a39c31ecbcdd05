"""Iterations a second with loader workers: a trial of CamVid at full size, unfrozen, by the engine and by mmengine alone.

    python perf/loading.py --data-root ~/datasets                 0, 1 and 2 workers, three pairs each
    python perf/loading.py --data-root ~/datasets --workers 2 --pairs 5

Both sides are forked from a parent that has imported OpenMMLab, compute on one thread and train the same config for an epoch. Sides take
turns, each pair in the reverse order of the last; a ratio is taken within a pair, and the median counts. Beside the seconds of the clock
stand those of the processor in the training process itself, to which a busy machine adds little: what the engine adds to an iteration.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from overhead import forked

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose.plan import Selection, plan
from harness.compose.trial import TUNING

FILE = "iterations.json"
FULL = (
    *("model.frozen=false", "model.input={size: [360, 480], flip: 0.5, photometric: true}"),
    *("schedule.epochs=1", "schedule.batch_size=4"),
)


def hook() -> dict[str, str]:
    """Register a hook that writes the seconds of each iteration into the work folder, and say its config."""
    from mmengine.hooks import Hook
    from mmengine.registry import HOOKS

    class IterationSeconds(Hook):
        priority = "LOWEST"

        def before_train(self, runner: Any) -> None:
            self.at = [(time.perf_counter(), time.process_time())]

        def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            self.at.append((time.perf_counter(), time.process_time()))

        def after_train(self, runner: Any) -> None:
            (Path(runner.work_dir) / FILE).write_text(json.dumps(self.at))

    HOOKS.register_module(module=IterationSeconds)
    return {"type": "IterationSeconds"}


def seconds(work: Path) -> tuple[float, float]:
    """Median of an iteration by the clock and by the processor, the first three left out."""
    at = json.loads((work / FILE).read_text())[3:]
    wall, own = zip(*([b - a for a, b in zip(one, other, strict=True)] for one, other in pairwise(at)), strict=True)
    return statistics.median(wall), statistics.median(own)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--workers", type=int, action="append", help="loader workers; may be repeated (default 0, 1 and 2)")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()

    import torch

    from harness.benchmarks import register

    register.setup()
    from harness.engine.trial import bare_config, run_trial  # after the set-up: it imports mmpretrain

    torch.set_num_threads(1)
    files = discover()
    chosen = Selection(methods=("identity",), benchmarks=("camvid",), overrides=FULL, data_root=options.data_root)
    planned = plan(chosen, load_catalog(), files)
    trial = replace(planned.trials[0], purpose=TUNING)  # which is trained, and not tested
    for name in ("val_dataloader", "val_cfg", "val_evaluator"):
        del trial.config[name]
    trial.config["custom_hooks"] = [hook()]
    load_plugins(set(trial.plugins), files)
    folder = data.ensure(planned.tasks["camvid"], options.data_root)

    now = [0]

    def quietly(work: Path) -> None:
        log = os.open(work / "out.txt", os.O_CREAT | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        torch.set_num_threads(1)

    def by_engine(work: Path) -> None:
        quietly(work)
        run_trial(trial, data=folder, work_dir=work, loader_workers=now[0])

    def alone(work: Path) -> None:
        from mmengine.config import Config
        from mmengine.runner import Runner

        quietly(work)
        config: dict[str, Any] = bare_config(trial, folder, work)
        config["train_dataloader"] |= {"num_workers": now[0], "persistent_workers": now[0] > 0}
        for name in ("test_dataloader", "test_cfg", "test_evaluator"):
            del config[name]
        Runner.from_cfg(Config(config)).train()

    for workers in options.workers or [0, 1, 2]:
        now[0] = workers
        pairs = []
        for pair in range(options.pairs):
            found = {}
            for side in (by_engine, alone) if pair % 2 else (alone, by_engine):
                with tempfile.TemporaryDirectory() as work:
                    forked(lambda side=side, work=Path(work): side(work))
                    found[side] = seconds(Path(work))
            pairs.append((found[by_engine], found[alone]))
        rates = [statistics.median(1 / sides[index][0] for sides in pairs) for index in (0, 1)]
        by_clock, by_processor = (statistics.median(ours[kind] / theirs[kind] for ours, theirs in pairs) for kind in (0, 1))
        print(
            f"{workers} workers: {rates[0]:.3f} iterations/s, mmengine alone {rates[1]:.3f}; "
            f"its seconds x {by_clock:.3f} by the clock, x {by_processor:.3f} by the processor",
            flush=True,
        )


if __name__ == "__main__":
    main()
