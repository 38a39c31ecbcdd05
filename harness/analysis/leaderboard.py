"""The leaderboard: trials that may be compared, averaged over their seeds, beside the floor.

Results of different benchmark versions, datasets, harness numerics or settings are never averaged together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness import families
from harness.analysis.statistics import summarize
from harness.outcome import COSTS, Cost, over_seeds

if TYPE_CHECKING:
    from harness.store import Floor, MetricSpec, Result


@dataclass(frozen=True)
class Row:
    """One benchmark x method x metric."""

    benchmark: str
    version: int
    dataset: str
    """Fingerprint of the dataset."""
    family: str
    tier: str
    slot: str
    method: str
    metric: str
    """``name``, or ``name/scene`` for one scene or class."""
    title: str
    unit: str
    higher_is_better: bool
    primary: bool
    """Whether the benchmark is sorted by this metric."""
    mean: float
    std: float | None
    ci95: tuple[float, float] | None
    n: int
    """Seeds."""
    floor: float | None
    below_floor: bool
    cost: Cost
    digests: tuple[str, ...]
    """The trials behind the row, in the order of ``seeds``."""
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """The metric of each trial, in the order of ``seeds``."""
    map: str | None = None
    """Object localization: which map of the model located objects."""

    def plain(self) -> dict[str, Any]:
        """What :data:`JSON_FIELDS` names."""
        return {name: getattr(self.cost if name in COSTS else self, name) for name in JSON_FIELDS}


JSON_FIELDS = [
    "benchmark",
    "family",
    "tier",
    "slot",
    "method",
    "metric",
    "unit",
    "higher_is_better",
    "mean",
    "std",
    "ci95",
    "n",
    "floor",
    "below_floor",
    *COSTS,
    "digests",
]
"""What ``harness leaderboard --format json`` prints of a row (docs/json.md), no more and no less."""


@dataclass(frozen=True)
class Board:
    """Rows in the order they are shown, and what a reader should know about what is not shown."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def blocks(self) -> dict[tuple[str, int], dict[str, list[Row]]]:
        """Rows by (benchmark, version) and method, both in the order they are shown."""
        blocks: dict[tuple[str, int], dict[str, list[Row]]] = {}
        for row in self.rows:
            blocks.setdefault((row.benchmark, row.version), {}).setdefault(row.method, []).append(row)
        return blocks

    def of(self, methods: Collection[str]) -> Board:
        """The rows of some methods."""
        return Board([row for row in self.rows if row.method in methods], self.notes)


def as_json(board: Board, all_versions: bool = False) -> dict[str, Any]:
    """The rows, and the maps of methods that have one, as plain data; with ``all_versions`` a benchmark is ``name@version``."""

    def name(row: Row) -> str:
        return f"{row.benchmark}@{row.version}" if all_versions else row.benchmark

    rows = [row.plain() | {"benchmark": name(row)} for row in board.rows]
    maps = [{"benchmark": name(row), "method": row.method, "map": row.map} for row in board.rows if row.primary and row.map]
    return {"rows": rows} | ({"maps": maps} if maps else {})


def worse(value: float, than: float, higher_is_better: bool) -> bool:
    """Whether ``value`` is worse; never where one of them is NaN."""
    return value < than if higher_is_better else value > than


def build(
    results: Iterable[Result],
    specs: Iterable[MetricSpec],
    floors: Iterable[Floor],
    *,
    numerics: Mapping[str, Any] | None = None,
    all_versions: bool = False,
) -> Board:
    """The leaderboard of some results.

    Args:
        numerics: digest of an environment -> version of the harness's numerics it ran with.
        all_versions: show older versions of a benchmark too, each as a block of its own.
    """
    notes: list[str] = []
    by_benchmark: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_benchmark[result.benchmark].append(result)
    spec_of: dict[tuple[str, int], dict[str, MetricSpec]] = defaultdict(dict)
    for spec in specs:
        spec_of[spec.benchmark, spec.version][spec.metric] = spec
    floor_of = {(f.benchmark, f.version, f.dataset, f.metric): f.value for f in floors}

    rows: list[Row] = []
    order = sorted(by_benchmark, key=lambda name: _place(by_benchmark[name][-1]))
    for name in order:
        versions = sorted({result.version for result in by_benchmark[name]}, reverse=True)
        if not all_versions and len(versions) > 1:
            notes.append(f"{name}: version {versions[0]} is shown; --all-versions shows {', '.join(map(str, versions[1:]))} too.")
        for version in versions if all_versions else versions[:1]:
            chosen = [result for result in by_benchmark[name] if result.version == version]
            chosen = _one(chosen, lambda r: r.dataset, f"{name} v{version}", "datasets (fingerprints)", notes)
            code = "versions of the harness's numerics"
            chosen = _one(chosen, lambda r: (numerics or {}).get(r.environment_digest or ""), f"{name} v{version}", code, notes)
            known = spec_of[name, version]
            if not known:
                notes.append(f"{name} v{version}: no metric is described in this database; run any trial of it to describe them.")
            rows += _benchmark_rows(_variants(chosen, f"{name} v{version}", notes), known, floor_of)
    return Board(rows, notes)


def _place(result: Result) -> tuple[int, int, str]:
    known, tiers = families.names(), families.TIERS
    family = known.index(result.family) if result.family in known else len(known)
    tier = tiers.index(result.tier) if result.tier in tiers else len(tiers)
    return family, tier, result.benchmark


def _one(results: list[Result], key: Callable[[Result], object], where: str, what: str, notes: list[str]) -> list[Result]:
    """The results that share the newest result's ``key``; a note counts the others."""
    newest = key(max(results, key=lambda r: r.finished))
    kept = [result for result in results if key(result) == newest]
    if len(kept) < len(results):
        count = len({key(result) for result in results})
        notes.append(f"{where}: results on {count} {what} exist; the newest is shown, {len(results) - len(kept)} results are left out.")
    return kept


def _variants(results: list[Result], where: str, notes: list[str]) -> dict[str, list[Result]]:
    """Per method the trials of one setting, one per seed.

    A method may have been run with several settings (``--set``, an edited plugin): what the registry says counts
    before any ``--set``, then the newest.
    """
    by_method: dict[str, dict[Any, dict[int, Result]]] = defaultdict(lambda: defaultdict(dict))
    for result in sorted(results, key=lambda r: r.finished):
        setting = (result.slot, result.config_digest, tuple(sorted(result.plugins.items())))
        by_method[result.method][setting][result.seed] = result
    chosen = {}
    for method, settings in by_method.items():
        best = max(settings.values(), key=_standing)
        chosen[method] = [best[seed] for seed in sorted(best)]
        changes = " ".join(f"--set {change}" for change in chosen[method][0].overrides)
        if len(settings) > 1:
            shown = f"with {changes}" if changes else "run last as registered"
            notes.append(f"{where}: '{method}' was run with {len(settings)} settings or sources; shown is the one {shown}.")
        elif changes:
            notes.append(f"{where}: '{method}' was run with {changes}, not as registered.")
    return chosen


def _standing(seeds: Mapping[int, Result]) -> tuple[bool, float]:
    """How much one setting's trials, by seed, count against another's."""
    trials = seeds.values()
    return all(not trial.overrides for trial in trials), max(trial.finished for trial in trials)


def _benchmark_rows(
    methods: dict[str, list[Result]], specs: Mapping[str, MetricSpec], floors: Mapping[tuple[str, int, str, str], float]
) -> list[Row]:
    rows: dict[str, list[Row]] = {}
    for method, trials in methods.items():
        measured = {name for trial in trials for name in trial.metrics}
        position = {name: index for index, name in enumerate(specs)}
        names = sorted(
            (name for name in measured if name.split("/")[0] in specs),
            key=lambda name: (not specs[name.split("/")[0]].primary, "/" in name, position[name.split("/")[0]], name),
        )
        rows[method] = [_row(method, trials, name, specs[name.split("/")[0]], floors) for name in names]

    def merit(method: str) -> tuple[bool, float, str]:
        primary = next((row for row in rows[method] if row.primary), None)
        if primary is None or math.isnan(primary.mean):
            return True, 0.0, method
        return False, -primary.mean if primary.higher_is_better else primary.mean, method

    return [row for method in sorted(rows, key=merit) for row in rows[method]]


def _row(method: str, trials: Sequence[Result], metric: str, spec: MetricSpec, floors: Mapping[tuple[str, int, str, str], float]) -> Row:
    first = trials[0]
    values = tuple(float(trial.metrics.get(metric, math.nan)) for trial in trials)
    summary = summarize(values)
    floor = floors.get((first.benchmark, first.version, first.dataset, metric))
    if floor is not None and math.isnan(floor):
        floor = None
    return Row(
        benchmark=first.benchmark,
        version=first.version,
        dataset=first.dataset,
        family=first.family,
        tier=first.tier,
        slot=first.slot,
        method=method,
        metric=metric,
        title=spec.title or spec.metric,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        primary=spec.primary and "/" not in metric,
        mean=summary.mean,
        std=summary.std,
        ci95=summary.ci95,
        n=summary.n,
        floor=floor,
        # a method that guesses like the floor differs from it by the rounding of float32
        below_floor=floor is not None
        and worse(summary.mean, floor, spec.higher_is_better)
        and not math.isclose(summary.mean, floor, rel_tol=1e-6),
        cost=over_seeds(trial.cost for trial in trials),
        digests=tuple(trial.digest for trial in trials),
        seeds=tuple(trial.seed for trial in trials),
        values=values,
        map=" / ".join(dict.fromkeys(trial.labels["map"] for trial in trials if "map" in trial.labels)) or None,
    )
