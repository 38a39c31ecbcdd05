"""What the harness adds to a trial: the same mmengine config run by the engine and run bare, in forked processes.

    python perf/overhead.py --benchmark scenes-classification --method gap --epochs 40 --pairs 3

Both sides fork from a parent that has imported OpenMMLab, run on one thread and log to a file. The harness's
side is everything `harness run` does for one trial: queue, lease, hooks, training, test, cost, diagnostics,
record. Prints seconds per run and the ratio of each pair.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose.plan import Selection, plan


def _forked(work) -> float:
    """Seconds of ``work()`` in a forked process."""
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"a run ended with status {status}")
    return time.perf_counter() - started


def main() -> None:
    """Time pairs of runs and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", default="scenes-classification")
    parser.add_argument("--method", default="gap")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()

    files = discover()
    chosen = Selection(methods=(options.method,), benchmarks=(options.benchmark,), overrides=(f"schedule.epochs={options.epochs}",))
    planned = plan(chosen, load_catalog(), files)
    trial = planned.trials[0]
    folder = data.ensure(planned.tasks[options.benchmark], None)

    from harness.benchmarks import register
    from harness.engine.run import run_plan

    register.setup()
    load_plugins(set(trial.plugins), files)

    def bare(into: Path) -> None:
        import torch
        from mmengine.config import Config
        from mmengine.runner import Runner

        from harness.engine.trial import bare_config

        torch.set_num_threads(1)
        log = os.open(into / "log.txt", os.O_CREAT | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        runner = Runner.from_cfg(Config(bare_config(trial, folder, into)))
        runner.train()
        runner.test()

    def by_harness(into: Path) -> None:
        run_plan(
            planned,
            f"sqlite:///{into}/harness.db",
            data_dirs={options.benchmark: folder},
            workers=1,
            device="cpu",
            results_dir=into,
            plugin_files=files,
        )

    ratios = []
    for pair in range(options.pairs):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            seconds_bare = _forked(lambda into=Path(one): bare(into))
            seconds_harness = _forked(lambda into=Path(two): by_harness(into))
        ratios.append(seconds_harness / seconds_bare)
        print(f"pair {pair + 1}: bare {seconds_bare:6.1f} s, harness {seconds_harness:6.1f} s, ratio {ratios[-1]:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f})")


if __name__ == "__main__":
    main()
