"""A store of made-up results."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def recorder(folder: Path):
    """Stores trials of classification scenes in ``folder``: ``measured("gap", 70.0, 72.0)`` is one per seed; ``None`` is a failure.

    ``on`` is another benchmark of the registry, ``sets`` what ``--set`` changes, ``data`` the fingerprint of other data, ``device``
    where the trials ran.
    """
    from harness import benchmarks
    from harness.catalog import load_catalog
    from harness.catalog.plugins import discover
    from harness.compose import compose
    from harness.compose.overrides import Overrides
    from harness.outcome import Cost, Outcome
    from harness.store import Floor, MetricSpec, open_store, process

    store = open_store(f"sqlite:///{folder}/results/harness.db")
    catalog, files, lease = load_catalog(), discover(), process.new_lease()

    def add(
        method: str,
        *top1: float | None,
        on: str = "scenes-classification",
        sets: tuple[str, ...] = (),
        data: str = "data",
        device: str = "",
    ) -> list[str]:
        changes = Overrides.parse(sets)
        bench = changes.of_benchmark(catalog.benchmarks[on])
        task, chosen = benchmarks.task(bench), changes.of_method(catalog.methods[method])
        trials = [compose(chosen, task, seed, data, files, sets) for seed in range(len(top1))]
        store.plan(trials)
        store.put_specs([MetricSpec(bench.id, bench.version, name, "%", True, name, name == "top1") for name in ("top1", "top5")])
        store.put_floors([Floor(bench.id, bench.version, data, "top1", 16.7, trials[0].task)])
        for trial, value in zip(trials, top1, strict=True):
            store.claim([trial.digest], lease, folder / "results" / "trials")
            if value is None:
                store.fail(trial.digest, lease.token, "nan", "the loss is not a number in epoch 2")
            else:
                outcome = Outcome({"top1": value, "top5": 90.0}, Cost(params=700_000, flops=6e7, latency_ms=10.0, peak_memory_mb=100.0))
                outcome.environment = {"device": device} if device else {}
                outcome.per_sample = {"label": np.array([0, 1, 1, 5]), "guess": np.array([0, 1, 0, 1])}
                outcome.labels = {"map": "class activation"}
                outcome.curves = {"loss": np.array([[1, 1.5], [2, 0.25]]), "val/top1": np.array([[2, value - 1], [4, np.nan]])}
                outcome.diagnostics = {"entropy": value / 100, "entropy/neck": value / 100, "entropy/neck/head1": 0.5}
                store.finish(trial.digest, lease.token, outcome)
        return [trial.digest for trial in trials]

    return add
