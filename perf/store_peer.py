"""The same runs in MLflow's SQLite store and in ours, in turns: seconds to write and to read, and bytes.

Called by ``perf/store.py``. MLflow gets the numbers of a trial in one call, what identifies it as tags, and no scores of samples, for
which its database has no place; an experiment is a benchmark. Reading the board of a benchmark is ``search_runs`` and a mean a method.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import time
from collections import defaultdict
from pathlib import Path

import store as ours

from harness.analysis import source
from harness.compose import Trial
from harness.store import open_store

ROUNDS = 5


def main(folder: Path, planned: list[Trial], numbers: int) -> None:
    """Write ``planned`` to both, read the boards from both, and print MLflow's figure over ours."""
    if importlib.util.find_spec("mlflow") is None:
        print("MLflow cannot be imported, so nothing is compared with it; `pip install mlflow-skinny` into an environment of your own.")
        return
    import mlflow
    from mlflow.entities import Metric, RunTag

    logging.getLogger("alembic").setLevel(logging.ERROR)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    theirs_file, file = folder / "mlflow.db", folder / "ours.db"
    client = mlflow.MlflowClient(f"sqlite:///{theirs_file}")
    store = open_store(f"sqlite:///{file}")
    print(f"\nMLflow {mlflow.__version__}, {len(planned)} runs of {numbers} numbers in both")

    writing = ours.fill(store, planned, numbers)
    experiments = {name: client.create_experiment(name) for name in dict.fromkeys(trial.benchmark for trial in planned)}
    spent = 0.0
    for trial in planned:
        result = ours.outcome(trial, numbers)
        values = {**result.metrics, **result.diagnostics, **result.durations, **vars(result.cost)}
        about = {name: str(getattr(trial, name)) for name in ("method", "seed", "digest", "dataset", "setting")}
        began = time.process_time()
        run = client.create_run(experiments[trial.benchmark])
        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, 0) for name, value in values.items()]
        client.log_batch(run.info.run_id, metrics, tags=[RunTag(name, text) for name, text in about.items()])
        client.set_terminated(run.info.run_id)
        spent += time.process_time() - began
    theirs = spent / len(planned)
    print(f"{'writing a run':40} MLflow {1000 * theirs:8.2f} ms, here {1000 * writing:8.2f} ms, ratio {theirs / writing:5.1f}")

    def their_board(chosen: list[str]) -> dict[tuple[str, str], float]:
        values = defaultdict(list)
        for run in client.search_runs(chosen, max_results=50_000):
            values[run.info.experiment_id, run.data.tags["method"]].append(run.data.metrics[ours.METRICS[0]])
        return {cell: statistics.fmean(some) for cell, some in values.items()}

    url, first = f"sqlite:///{file}", planned[0].benchmark
    for what, chosen, filters in (
        ("board of one benchmark, primary metric", [experiments[first]], {"benchmarks": [first]}),
        ("board of all, primary metric", [*experiments.values()], {}),
    ):
        expected = sorted(their_board(chosen).values())
        found = sorted(row.mean for row in source.board(url, metrics="primary", **filters).rows)
        assert len(found) == len(expected) and all(abs(a - b) < 1e-9 for a, b in zip(found, expected, strict=True))
        ratios, pairs = [], []
        for _ in range(ROUNDS):
            mine = ours.seconds(lambda filters=filters: source.board(url, metrics="primary", **filters), 1)
            other = ours.seconds(lambda chosen=chosen: their_board(chosen), 1)
            ratios.append(other / mine)
            pairs.append((other, mine))
        other, mine = map(statistics.median, zip(*pairs, strict=True))
        print(f"{what:40} MLflow {1000 * other:8.1f} ms, here {1000 * mine:8.1f} ms, ratio {statistics.median(ratios):5.1f}")
    bytes_theirs, bytes_ours = (sum(part.stat().st_size for part in folder.glob(f"{name.name}*")) for name in (theirs_file, file))
    each = [size / len(planned) / 1000 for size in (bytes_theirs, bytes_ours)]
    print(f"{'bytes a run':40} MLflow {each[0]:8.2f} kB, here {each[1]:8.2f} kB, ratio {each[0] / each[1]:5.1f}")
