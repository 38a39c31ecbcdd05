"""What the harness adds to a trial: the same mmengine config run by the engine and run bare, in forked processes.

    python perf/overhead.py                                              # a quick trial of each family
    python perf/overhead.py --only scenes-classification --epochs 40 --pairs 3

Both sides fork from a parent that has imported OpenMMLab, run on one thread and log to a file. The harness's side is everything
`harness run` does for one trial more: queue, lease, hooks, training, test, cost, diagnostics, record. Prints seconds of the processor,
which other processes of the machine add little to: of both sides, the ratio of each pair, and of the harness's side what is neither
training nor test, by its parts; `of the run` is queue, fork and record, and what a run does once for all of its trials. What each
further trial of a run adds is told apart by a second run, of four more seeds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import PluginFile, discover, load_plugins
from harness.compose.plan import Selection, plan
from harness.store import open_store

CASES = {
    "scenes-classification": "simpool",
    "scenes-localization": "simpool",
    "scenes-segmentation": "gc-block",
    "figures-keypoint": "se",
    "rooms": "mst-multi-scene-transformer",
}
PARTS = ("build", "diagnostics", "cost")
MORE = 4
"""Seeds of the run that tells what each further trial adds."""


def forked(work: Callable[[], None]) -> float:
    """Processor seconds of ``work()`` in a forked process, with those of the processes it starts."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"a run ended with status {status}")
    return used.ru_utime + used.ru_stime


def _processor() -> float:
    """Processor seconds of this process so far, and of those that it has waited for."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def measure(benchmark: str, method: str, epochs: int | None, pairs: int, files: list[PluginFile]) -> None:
    """Run pairs of one trial and print their seconds."""
    import harness.engine.trial as engine
    from harness.engine.run import run_plan

    changed = () if epochs is None else (f"schedule.epochs={epochs}",)
    first, planned, more = (
        plan(Selection(methods=(method,), benchmarks=(benchmark,), overrides=sets, seeds=seeds), load_catalog(), files)
        for sets, seeds in ((("schedule.epochs=1",), 1), (changed, 1), (changed, 1 + MORE))
    )
    trial = planned.trials[0]
    folder = data.ensure(planned.tasks[benchmark], None)

    def bare(into: Path) -> None:
        import torch
        from mmengine.config import Config
        from mmengine.runner import Runner

        load_plugins(set(trial.plugins), files)
        torch.set_num_threads(1)
        log = os.open(into / "log.txt", os.O_CREAT | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        runner = Runner.from_cfg(Config(engine.bare_config(trial, folder, into)))
        runner.train()
        runner.test()

    def by_harness(into: Path) -> None:
        engine.time = SimpleNamespace(perf_counter=time.process_time)  # type: ignore[attr-defined]
        options = {"data_dirs": {benchmark: folder}, "workers": 1, "device": "cpu", "results_dir": into, "plugin_files": files}
        run_plan(first, f"sqlite:///{into}/harness.db", **options)  # makes the database, imports, and computes the floor
        for some in (planned, more):
            began = _processor()
            run_plan(some, f"sqlite:///{into}/harness.db", **options)
            with (into / "seconds.txt").open("a") as told:
                print(_processor() - began, file=told)

    ratios = []
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            alone = forked(lambda into=Path(one): bare(into))
            forked(lambda into=Path(two): by_harness(into))
            whole, again = map(float, Path(two, "seconds.txt").read_text().split())
            results = open_store(f"sqlite:///{two}/harness.db", read_only=True).results(digests=[some.digest for some in more.trials])
        own = {result.seed: result.durations["train"] + result.durations["test"] for result in results}
        result = next(result for result in results if result.digest == trial.digest)
        ratios.append(whole / alone)
        beside = whole - own.pop(trial.seed)
        further = (again - sum(own.values()) - beside) / (MORE - 1)
        parts = {name: result.durations[name] for name in PARTS}
        parts["of the run"] = beside - sum(parts.values())
        told = ", ".join(f"{name} {spent:.3f}" for name, spent in parts.items())
        print(f"{benchmark:22} bare {alone:6.2f} s, harness {whole:6.2f} s, ratio {ratios[-1]:.3f}")
        print(f"{'':22} beside training and test {beside:.3f} s: {told}; each further trial {further:.3f}", flush=True)
    if pairs > 1:
        print(f"{benchmark:22} median ratio {statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f})")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CASES, help="this benchmark")
    parser.add_argument("--method", help="another method")
    parser.add_argument("--epochs", type=int, help="another number of epochs")
    parser.add_argument("--pairs", type=int, default=1)
    options = parser.parse_args()

    from harness.benchmarks import register
    from harness.engine import environment

    register.setup()
    environment.describe("cpu")  # a run asks once for all of its trials
    files = discover()
    for benchmark, method in CASES.items():
        if options.only in (None, benchmark):
            measure(benchmark, options.method or method, options.epochs, options.pairs, files)


if __name__ == "__main__":
    main()
