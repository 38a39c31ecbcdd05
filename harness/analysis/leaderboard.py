"""The leaderboard: trials that may be compared, averaged over their seeds, beside the floor.

Results of different benchmark versions, datasets, devices, harness numerics or settings are never averaged together, nor do they
stand in one block.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness import families
from harness.analysis.grouping import blocks_of, newest_numerics, variants_of
from harness.analysis.settings import Setting, difference
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
    setting: Setting
    """Rows of a benchmark's version with another one are a block of their own."""
    differs: str
    """How the block differs from the benchmark's first, or from what is registered; empty for what is registered."""
    overrides: tuple[str, ...] = ()
    """What ``--set`` changed, of the method too."""
    map: str | None = None
    """Object localization: which map of the model located objects."""
    collapsed: int = 0
    """Seeds in which the attention of a layer has collapsed."""

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


Block = tuple[str, int, Setting]
"""Benchmark, version and setting: what stands in one table."""


@dataclass(frozen=True)
class Board:
    """Rows in the order they are shown, and what a reader should know about what is not shown."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def blocks(self) -> dict[Block, dict[str, list[Row]]]:
        """Rows by block and method, both in the order they are shown; a benchmark's registered setting comes first."""
        blocks: dict[Block, dict[str, list[Row]]] = {}
        for row in self.rows:
            blocks.setdefault((row.benchmark, row.version, row.setting), {}).setdefault(row.method, []).append(row)
        return blocks

    def parted(self) -> tuple[list[list[Row]], list[list[Row]]]:
        """The first block of each version of a benchmark, and those of its other settings."""
        seen: set[tuple[str, int]] = set()
        first: list[list[Row]] = []
        apart: list[list[Row]] = []
        for (benchmark, version, _), methods in self.blocks().items():
            rows = [row for some in methods.values() for row in some]
            (apart if (benchmark, version) in seen else first).append(rows)
            seen.add((benchmark, version))
        return first, apart

    def of(self, methods: Collection[str]) -> Board:
        """The rows of some methods."""
        return Board([row for row in self.rows if row.method in methods], self.notes)


def as_json(board: Board, all_versions: bool = False) -> dict[str, Any]:
    """The rows, and the maps of methods that have one, as plain data; with ``all_versions`` a benchmark is ``name@version``.

    Further settings of a benchmark are ``apart``, so that whoever reads ``rows`` never mixes them.
    """

    def name(row: Row) -> str:
        return f"{row.benchmark}@{row.version}" if all_versions else row.benchmark

    def plain(rows: list[Row]) -> list[dict[str, Any]]:
        return [row.plain() | {"benchmark": name(row)} for row in rows]

    first, others = board.parted()
    shown = [row for rows in first for row in rows]
    maps = [{"benchmark": name(row), "method": row.method, "map": row.map} for row in shown if row.primary and row.map]
    fallen = [{"benchmark": name(row), "method": row.method, "seeds": row.collapsed} for row in shown if row.primary and row.collapsed]
    apart = [
        {
            "benchmark": name(rows[0]),
            "setting": rows[0].setting.digest,
            "device": rows[0].setting.device,
            "differs": rows[0].differs,
            **({"tuning": tuning} if (tuning := rows[0].setting.content.get("tuning")) else {}),
            "rows": plain(rows),
        }
        for rows in others
    ]
    tuned = [{"benchmark": name(rows[0]), **rows[0].setting.content["tuning"]} for rows in first if "tuning" in rows[0].setting.content]
    further = {"maps": maps, "collapsed": fallen, "tuned": tuned, "apart": apart}
    return {"rows": plain(shown)} | {key: value for key, value in further.items() if value}


def worse(value: float, than: float, higher_is_better: bool) -> bool:
    """Whether ``value`` is worse; never where one of them is NaN."""
    return value < than if higher_is_better else value > than


def build(
    results: Iterable[Result],
    specs: Iterable[MetricSpec],
    floors: Iterable[Floor],
    *,
    environments: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, dict[str, Any]] | None = None,
    all_versions: bool = False,
) -> Board:
    """The leaderboard of some results.

    Args:
        environments: digest of an environment -> where a trial ran, and with which version of the harness's numerics.
        settings: :attr:`Result.setting` -> what is behind it.
        all_versions: show older versions of a benchmark and of the harness's numerics too, each as a block of its own.
    """
    notes: list[str] = []
    by_benchmark: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_benchmark[result.benchmark].append(result)
    spec_of: dict[tuple[str, int], dict[str, MetricSpec]] = defaultdict(dict)
    for spec in specs:
        spec_of[spec.benchmark, spec.version][spec.metric] = spec
    floor_of = {(f.benchmark, f.version, f.dataset, f.task, f.metric): f.value for f in floors}

    rows: list[Row] = []
    order = sorted(by_benchmark, key=lambda name: _place(by_benchmark[name][-1]))
    for name in order:
        versions = sorted({result.version for result in by_benchmark[name]}, reverse=True)
        if not all_versions and len(versions) > 1:
            notes.append(f"{name}: version {versions[0]} is shown; --all-versions shows {', '.join(map(str, versions[1:]))} too.")
        for version in versions if all_versions else versions[:1]:
            where = f"{name} v{version}"
            blocks = blocks_of((r for r in by_benchmark[name] if r.version == version), settings or {}, environments or {})
            if not all_versions:
                blocks = newest_numerics(blocks, where, notes)
            known = spec_of[name, version]
            if not known:
                notes.append(f"{where}: no metric is described in this database; run any trial of it to describe them.")
            first = next(iter(blocks))
            for setting, chosen in blocks.items():
                other = replace(first, digest="", overrides=()) if setting == first and setting.overrides else first
                differs = difference(setting, other, "the first block")
                if setting == first and differs:
                    notes.append(f"{where}: run with {differs}, not as registered.")
                told = f"{where} · {differs}" if differs else where
                rows += _benchmark_rows(variants_of(chosen, told, notes), known, floor_of, setting, differs)
    return Board(rows, notes)


def _place(result: Result) -> tuple[int, int, str]:
    known, tiers = families.names(), families.TIERS
    family = known.index(result.family) if result.family in known else len(known)
    tier = tiers.index(result.tier) if result.tier in tiers else len(tiers)
    return family, tier, result.benchmark


_Floors = Mapping[tuple[str, int, str, str, str], float]


def _benchmark_rows(
    methods: dict[str, list[Result]], specs: Mapping[str, MetricSpec], floors: _Floors, setting: Setting, differs: str
) -> list[Row]:
    rows: dict[str, list[Row]] = {}
    for method, trials in methods.items():
        measured = {name for trial in trials for name in trial.metrics}
        position = {name: index for index, name in enumerate(specs)}
        names = sorted(
            (name for name in measured if name.split("/")[0] in specs),
            key=lambda name: (not specs[name.split("/")[0]].primary, "/" in name, position[name.split("/")[0]], name),
        )
        about = {"setting": setting, "differs": differs}
        rows[method] = [_row(trials, name, specs[name.split("/")[0]], floors, **about) for name in names]

    def merit(method: str) -> tuple[bool, float, str]:
        primary = next((row for row in rows[method] if row.primary), None)
        if primary is None or math.isnan(primary.mean):
            return True, 0.0, method
        return False, -primary.mean if primary.higher_is_better else primary.mean, method

    return [row for method in sorted(rows, key=merit) for row in rows[method]]


def _row(trials: Sequence[Result], metric: str, spec: MetricSpec, floors: _Floors, **about: Any) -> Row:
    first = trials[0]
    values = tuple(float(trial.metrics.get(metric, math.nan)) for trial in trials)
    summary = summarize(values)
    floor = floors.get((first.benchmark, first.version, first.dataset, first.task, metric))
    if floor is not None and math.isnan(floor):
        floor = None
    return Row(
        benchmark=first.benchmark,
        version=first.version,
        dataset=first.dataset,
        family=first.family,
        tier=first.tier,
        slot=first.slot,
        method=first.method,
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
        overrides=first.overrides,
        **about,
        collapsed=sum(trial.labels.get("attention") == "collapsed" for trial in trials),
        map=" / ".join(dict.fromkeys(trial.labels["map"] for trial in trials if "map" in trial.labels)) or None,
    )
