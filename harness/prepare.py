"""What must be there before trials run: their data, looked at, and how their numbers are to be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness import benchmarks, data, paths
from harness.catalog import Benchmark
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.compose.plan import Plan
    from harness.store import Store


def folders(needed: Iterable[Benchmark], data_root: Path | None) -> dict[str, Path]:
    """Benchmark -> folder of its dataset; generated data is written, real data is looked at once per content.

    Raises:
        DataError: a dataset is missing, or a trial could not run on it.
    """
    found = {}
    for bench in needed:
        found[bench.id] = data.ensure(bench, data_root)
        if not data.is_generated(bench):
            _look_once(bench, found[bench.id], data.fingerprint(bench, data_root))
    return found


def _look_once(bench: Benchmark, folder: Path, fingerprint: str) -> None:
    options = json.dumps([bench.family, bench.data, fingerprint], sort_keys=True)
    mark = paths.cache_dir() / "checked" / hashlib.blake2b(options.encode(), digest_size=12).hexdigest()
    if mark.exists():
        return
    fatal = [problem for problem in benchmarks.family(bench.family).check(bench, folder) if problem.fatal]
    if fatal:
        more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
        raise DataError(
            f"benchmark '{bench.id}': {fatal[0].where}: {fatal[0].what} {fatal[0].mend}".rstrip()
            + f"{more}. `harness data check {bench.id}` lists everything."
        )
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def describe(plan: Plan, store: Store, data_folders: dict[str, Path]) -> None:
    """Record how the metrics of the plan's benchmarks are read, and the floors that are not recorded yet.

    Args:
        data_folders: of the benchmarks that are run now, see :func:`folders`.
    """
    from harness.store import Floor, MetricSpec

    specs, recorded = [], set(store.specs())
    for bench in plan.benchmarks.values():
        kind = benchmarks.family(bench.family)
        primary = bench.primary or kind.primary
        for metric in kind.metrics(bench):
            spec = MetricSpec(
                bench.id, bench.version, metric.name, metric.unit, metric.higher_is_better, metric.title, metric.name == primary, metric.per_scene
            )
            specs.append(spec)
    if not recorded.issuperset(specs):
        store.put_specs(specs)
    fingerprints = {trial.benchmark: trial.dataset for trial in plan.trials}
    known = {(floor.benchmark, floor.version, floor.dataset) for floor in store.floors()}
    for name, folder in data_folders.items():
        bench = plan.benchmarks[name]
        if (name, bench.version, fingerprints[name]) not in known:
            floor = benchmarks.family(bench.family).floor(bench, folder)
            store.put_floors(Floor(name, bench.version, fingerprints[name], metric, value) for metric, value in floor.items())
