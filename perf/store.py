"""What the store costs: bytes a trial, seconds to write, to read and to judge, and the same runs in MLflow's SQLite store.

    python perf/store.py                                # 10,000 trials of 100 numbers, made anew in a temporary folder
    python perf/store.py --folder /tmp/large            # kept there, and used again
    python perf/store.py --trials 2000 --peer 2000 --only store

The trials are made up, but of the size of real ones: methods that differ, seeds that scatter, metrics with scenes, diagnostics by
layer and head, three scores a test image. They are written one by one, as trials are. What is read is timed in this process, in
seconds of the processor (the process's start apart), the median of several; verbs as processes of their own, the least of several.
MLflow is no dependency: where it can be imported, the first trials of the store are written and read by both, in turns.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.analysis import source
from harness.analysis.gate import regression
from harness.analysis.gate.saving import expect
from harness.compose import Trial
from harness.digests import digest_of
from harness.outcome import Cost, Outcome
from harness.store import Floor, MetricSpec, Store, open_store, process

FAMILIES = ("classification", "object-localization", "segmentation", "keypoint", "camera-localization")
METRICS = ("top1", "top5", "mean_accuracy", "nll", "calibration_error")
MEASURES = ("entropy", "purity_of_largest_sphere", "qk_distance", "attention_on_object", "distance_to_center")
LAYERS = ("backbone.layer3.attend", "backbone.layer4.attend")
SEEDS = 10
METHODS = 50


def outcome(trial: Trial, numbers: int) -> Outcome:
    """Made-up results with ``numbers`` numbers: a twentieth metrics, twice that scenes, durations, and diagnostics."""
    random = np.random.default_rng(int(trial.digest, 16))
    skill = 60 + 30 * np.random.default_rng(int(digest_of([trial.method, trial.benchmark]), 16)).random()
    value = float(skill + random.normal())
    metrics = dict(zip(METRICS, (value + random.normal(0, 0.3, len(METRICS))).tolist(), strict=True))
    metrics |= {f"top1/class_{i:02d}": float(v) for i, v in enumerate(value + random.normal(0, 5, numbers // 8))}
    durations = {name: float(random.gamma(2)) for name in ("build", "train", "test", "diagnostics", "cost")}
    names = [
        "/".join((measure, *place))
        for place in [(), *((layer, *head) for layer in LAYERS for head in ((), *((f"head{i}",) for i in range(32))))]
        for measure in MEASURES
    ]
    left = numbers - len(metrics) - len(durations)
    diagnostics = dict(zip(names[:left], random.random(left).tolist(), strict=True))
    count = 200
    scores = {"label": random.integers(0, 10, count), "guess": random.integers(0, 10, count), "nll": random.gamma(2, size=count)}
    return Outcome(
        metrics=metrics,
        cost=Cost(params=413_790, flops=65_090_688.0, latency_ms=float(random.gamma(20)), peak_memory_mb=12.5, train_memory_mb=101.25),
        per_sample={name: some.astype(np.float32) for name, some in scores.items()},
        diagnostics=diagnostics,
        durations=durations,
        environment={"device": "cpu", "numerics": 1, "packages": {"torch": "2"}},
        notes=["8 images of the test set are read by no method, since their files are damaged"],
        labels={"map": "class activation"},
    )


def trials(count: int) -> Iterator[Trial]:
    """``count`` made-up trials: 50 methods and 10 seeds on as many benchmarks as it takes."""
    for number in range(count):
        place, seed = divmod(number, SEEDS)
        bench, method = divmod(place, METHODS)
        benchmark, name = f"made-up-benchmark-{bench:02d}", f"made-up-attention-{method:02d}"
        family = FAMILIES[bench % len(FAMILIES)]
        conditions = {
            "family": family,
            "data": {"benchmark": bench},
            "dataset": f"v1-{bench:021d}",
            "numerics": 1,
            "schedule": {"epochs": 8},
        }
        config = {"method": method, "benchmark": bench, "model": {"layers": [{"type": "Conv2d", "channels": 64}] * 40}}
        yield Trial(
            digest=digest_of([benchmark, name, seed]),
            benchmark=benchmark,
            version=1,
            family=family,
            tier="synthetic",
            method=name,
            slot="block",
            seed=seed,
            config=config,
            config_digest=digest_of(config),
            dataset=f"v1-{bench:021d}",
            plugins={name: digest_of(name), "base": digest_of("base")},
            cost=10.0,
            task=digest_of([conditions["data"]]),
            setting=digest_of(conditions),
            conditions=conditions,
        )


def fill(store: Store, planned: list[Trial], numbers: int) -> float:
    """Plan and finish ``planned``, a transaction each to take and to record; seconds of the processor a trial, results apart."""
    spent, lease = 0.0, process.new_lease()
    for first in range(0, len(planned), 1000):
        some = planned[first : first + 1000]
        results = {trial.digest: outcome(trial, numbers) for trial in some}
        began = time.process_time()
        store.plan(some)
        for trial in some:
            digest = store.claim([trial.digest], lease, Path("/results/trials"))
            assert digest and store.finish(digest, lease.token, results[digest])
        spent += time.process_time() - began
    benchmarks = {trial.benchmark: trial for trial in planned}
    store.put_specs(
        MetricSpec(name, 1, metric, "%", True, metric, metric == METRICS[0], metric == METRICS[0])
        for name in benchmarks
        for metric in METRICS
    )
    store.put_floors(Floor(name, 1, of.dataset, metric, 10.0, of.task) for name, of in benchmarks.items() for metric in METRICS)
    return spent / len(planned)


def seconds(call: Callable[[], Any], rounds: int = 5) -> float:
    """Of the processor, the median of several calls."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return statistics.median(times)


def readings(url: str, benchmark: str, methods: tuple[str, str]) -> Iterator[tuple[str, Callable[[], Any], float | None]]:
    """What a reader asks, how it is answered in the library, and how long that may take."""
    from harness.analysis.compare import compare

    trials = {result.digest: result for result in source.results(url)}
    expected, _ = expect(source.board(url, all_versions=True, metrics="whole"), trials, source.environments(url))
    yield "leaderboard of one benchmark, as shown", lambda: source.board(url, benchmarks=[benchmark], metrics="whole"), 0.1
    yield "leaderboard of one benchmark, every metric", lambda: source.board(url, benchmarks=[benchmark]), None
    yield "leaderboard of all, primary metrics", lambda: source.board(url, metrics="primary"), 0.5
    yield "leaderboard of all, as shown", lambda: source.board(url, metrics="whole"), None
    yield "compare two methods", lambda: compare(source.board(url, metrics="primary"), methods), 1.0
    yield (
        "check against a baseline",
        lambda: regression.check(
            expected, source.board(url, all_versions=True, metrics="whole"), source.trials(url, states=["failed"]), source.environments(url)
        ),
        2.0,
    )
    yield "stamp", lambda: source.stamp(url), None
    yield "counts", lambda: source.counts(url), None
    yield "one page of 50 trials", lambda: source.trials(url, page=(0, 50)), None


def verb(*arguments: str) -> float:
    """Processor seconds of a whole process, its start included: the least of three."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "harness", *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--numbers", type=int, default=100, help="metrics, diagnostics and durations a trial")
    parser.add_argument("--peer", type=int, default=1000, help="trials that MLflow gets, too; 0: none")
    parser.add_argument("--folder", type=Path, help="where to keep the store")
    parser.add_argument("--only", choices=("store", "peer"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.only != "peer":
            _store(folder / f"store-{options.trials}x{options.numbers}.db", options.trials, options.numbers)
        if options.only != "store" and options.peer:
            import store_peer

            store_peer.main(Path(temporary), list(trials(options.peer)), options.numbers)


def _store(file: Path, count: int, numbers: int) -> None:
    url = f"sqlite:///{file}"
    planned = list(trials(count))
    if not file.is_file():
        print(f"written: {1000 * fill(open_store(url), planned, numbers):.2f} ms a trial")
    samples = sum(len(some) for some in open_store(url, read_only=True).per_sample(digests=[planned[0].digest]).values())
    print(
        f"{count} trials, {count * numbers} numbers, {samples} scores of samples each: {file.stat().st_size / count / 1000:.2f} kB a trial"
    )
    for what, call, limit in readings(url, planned[0].benchmark, (planned[0].method, planned[SEEDS].method)):
        print(f"{what:45} {1000 * seconds(call):7.1f} ms" + (f"  (at most {1000 * limit:.0f})" if limit else ""))
    verbs = {
        "harness leaderboard -b B": ("leaderboard", "-b", planned[0].benchmark),
        "harness leaderboard": ("leaderboard",),
        "harness status": ("status",),
    }
    for what, arguments in verbs.items():
        print(f"{what:45} {verb(*arguments, '--db', url):7.2f} s, whole process")


if __name__ == "__main__":
    main()
