"""A large store made up from the registry, for measuring readers: python perf/large_store.py sqlite:////tmp/large/harness.db

Every method on every benchmark that has a slot for it, twelve seeds each, cut to 10,000 trials: 9,808 are done, with 100 numbers (metrics
of the family, single scenes, diagnostics by layer and head, durations), a score a test image and a learning curve each; the others
failed, wait, or were running when their machine went down. Nothing is trained and no dataset is read: results are drawn, methods
differ, seeds scatter. They are written as a run writes them.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.benchmarks import task
from harness.catalog import Benchmark, load_catalog
from harness.catalog.plugins import discover
from harness.compose import Trial, compose
from harness.compose.plan import Plan
from harness.diagnostics import MEASURES
from harness.engine.prepare import metric_specs
from harness.outcome import Cost, Outcome
from harness.store import Floor, MetricSpec, Store, open_store, process

TRIALS, SEEDS, NUMBERS, IMAGES = 10_000, 12, 100, 100
LAYERS = ("backbone.layer3.attend", "backbone.layer4.attend")
NOT_DONE = {"out-of-memory": 90, "no-result": 40, "error": 30, "planned": 30, "running": 2}
"""Kinds of failure and states -> how many trials."""
REASONS = {
    "out-of-memory": "the device has no memory left; halve schedule.batch_size",
    "no-result": "the loss is not a number in epoch 2",
    "error": "RuntimeError: expected a tensor of 64 channels",
}


def planned(count: int = TRIALS) -> Plan:
    """That many trials, as many methods on each benchmark as it takes, and the benchmarks they are on."""
    catalog, files = load_catalog(), discover()
    tasks = {name: task(_without_weights(bench)) for name, bench in catalog.benchmarks.items()}
    rows = [[(method, each) for method in catalog.methods.values() if method.fill(each.slots) is not None] for each in tasks.values()]
    depth = max(map(len, rows))
    pairs = [row[place] for place in range(depth) for row in rows if place < len(row)][: -(-count // SEEDS)]
    trials = [compose(method, each, seed, f"v1-{_seed(each.id):021d}", files) for method, each in pairs for seed in range(SEEDS)]
    return Plan(trials[:count], {each.id: each for _, each in pairs})


def _without_weights(bench: Benchmark) -> Benchmark:
    """A benchmark that can be composed where no pretrained network lies."""
    return bench.model_copy(update={"model": {name: value for name, value in bench.model.items() if name not in ("weights", "frozen")}})


def _seed(*parts: object) -> int:
    return zlib.crc32("/".join(map(str, parts)).encode())


def outcome(trial: Trial, specs: Sequence[MetricSpec]) -> Outcome:
    """Made-up results of a trial."""
    random = np.random.default_rng(int(trial.digest, 16))
    skill = np.random.default_rng(_seed(trial.method, trial.benchmark)).beta(4, 2)
    luck = float(np.clip(skill + random.normal(0, 0.02), 0, 1))
    metrics: dict[str, float] = {}
    for spec in specs:
        good = float(np.clip(luck + random.normal(0, 0.01), 0, 1))
        metrics[spec.metric] = 100 * good if spec.unit == "%" else (0.05 + 2 * (1 - good)) * (20 if spec.unit in ("px", "deg") else 1)
    primary = next(spec for spec in specs if spec.primary)
    for scene in range(12):
        value = metrics[primary.metric] * random.uniform(0.9, 1.1)
        metrics[f"{primary.metric}/scene_{scene:02d}"] = float(min(value, 100.0) if primary.unit == "%" else value)
    durations = {name: float(random.gamma(2)) for name in ("build", "train", "test", "diagnostics", "cost")}
    names = [
        "/".join((measure, *place))
        for place in [(), *((layer, *head) for layer in LAYERS for head in ((), *((f"head{i}",) for i in range(8))))]
        for measure in list(MEASURES)[:6]
    ]
    diagnostics = {name: float(random.random()) for name in names[: NUMBERS - len(metrics) - len(durations)]}
    return Outcome(
        metrics=metrics,
        cost=Cost(
            params=int(4e5 * (1 + skill)),
            flops=6.5e7 * (1 + skill),
            latency_ms=float(random.gamma(20, 0.1)),
            peak_memory_mb=12.5,
            train_memory_mb=101.25,
        ),
        per_sample={primary.metric: (random.random(IMAGES) < luck).astype(np.float32)},
        curves={"loss": np.stack([np.arange(1, 9), 2 * np.exp(-np.arange(1, 9) / 4) + random.random(8) / 9], axis=1)},
        diagnostics=diagnostics,
        durations=durations,
        environment={"device": "cpu", "numerics": 1, "packages": {"torch": "2"}},
    )


def fill(store: Store, plan: Plan, folder: Path) -> None:
    """Plan and end all trials, in the order of chance."""
    specs = metric_specs(plan)
    of = {name: [spec for spec in specs if spec.benchmark == name] for name in plan.tasks}
    store.put_specs(specs)
    places = {trial.benchmark: trial for trial in plan.trials}
    store.put_floors(
        Floor(name, each.version, each.dataset, spec.metric, 20.0 if spec.unit == "%" else 50.0, each.task)
        for name, each in places.items()
        for spec in of[name]
    )
    store.plan(plan.trials)
    lease = process.new_lease()
    for trial, end in zip(plan.trials, _ends(len(plan.trials)), strict=True):
        if end == "planned":
            continue
        store.claim([trial.digest], lease, folder)
        if end in REASONS:
            store.fail(trial.digest, lease.token, end, REASONS[end])
        elif end != "running":
            store.finish(trial.digest, lease.token, outcome(trial, of[trial.benchmark]))


def _ends(count: int) -> Iterator[str]:
    scale = count / TRIALS
    some = [end for end, many in NOT_DONE.items() for _ in range(round(many * scale))]
    ends = [*some, *["done"] * (count - len(some))]
    yield from np.random.default_rng(0).permutation(ends).tolist()


def main() -> None:
    """Fill a database that has no trials yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("db")
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args()
    store = open_store(options.db)
    if store.counts():
        parser.error(f"{options.db} has trials already")
    plan = planned(options.trials)
    fill(store, plan, Path("/nowhere/trials"))
    print(f"{len(plan.trials)} trials of {len(plan.tasks)} benchmarks and {len({trial.method for trial in plan.trials})} methods")


if __name__ == "__main__":
    main()
