"""Results as the store returns them, without a store."""

from __future__ import annotations

import pytest

from harness.outcome import Cost
from harness.store.records import Floor, MetricSpec, Result, TrialRow


@pytest.fixture
def result():
    """Makes one done trial; later calls are newer."""
    clock = iter(range(1000, 100000))

    def make(method="gap", seed=0, metrics=None, **changes) -> Result:
        finished = next(clock)
        values = {
            "digest": f"{method}-{seed}-{finished}",
            "benchmark": "scenes",
            "version": 1,
            "family": "classification",
            "tier": "synthetic",
            "slot": "pooling",
            "dataset": "d1",
            "config_digest": f"config-{method}",
            "environment_digest": "e1",
            "expected": 1.0,
            "created": 0.0,
            "finished": float(finished),
            "cost": Cost(params=1_234_567, flops=2.5e9, latency_ms=4.0 + seed, peak_memory_mb=100.0 + seed, train_memory_mb=200.0 + seed),
            "plugins": {method: "source"},
        }
        return Result(method=method, seed=seed, metrics=metrics or {"top1": 50.0}, **(values | changes))

    return make


@pytest.fixture
def specs() -> list[MetricSpec]:
    return [
        MetricSpec("scenes", 1, "top1", "%", True, "Top-1 accuracy", True),
        MetricSpec("scenes", 1, "error", "m", False, "Error", False, per_scene=True),
        MetricSpec("scenes", 2, "top1", "%", True, "Top-1 accuracy", True),
    ]


@pytest.fixture
def floors() -> list[Floor]:
    return [Floor("scenes", 1, "d1", "top1", 12.5), Floor("scenes", 1, "d1", "error", 2.0)]


@pytest.fixture
def trial_row():
    """Makes a trial that failed."""

    def make(method="gap", seed=0, **changes) -> TrialRow:
        values = {
            "digest": f"{method}-{seed}",
            "benchmark": "scenes",
            "version": 1,
            "family": "classification",
            "tier": "synthetic",
            "slot": "pooling",
            "state": "failed",
            "alive": False,
            "kind": "nan",
            "reason": "the loss is not a number",
            "attempts": 1,
            "host": None,
            "pid": None,
            "created": 0.0,
            "started": 0.0,
            "finished": 1.0,
            "log": "results/log.txt",
            "work_dir": None,
            "expected": 1.0,
            "dataset": "d1",
            "config_digest": "config",
        }
        return TrialRow(method=method, seed=seed, **(values | changes))

    return make


@pytest.fixture
def waiting(trial_row):
    """Makes a trial without a result, of the variant that ``result`` makes."""

    def make(method="gap", seed=0, state="failed", **changes):
        about = {"config_digest": f"config-{method}", "plugins": {method: "source"}, "created": 0.0}
        return trial_row(method, seed, **(about | {"state": state, "kind": None, "reason": None} | changes))

    return make
