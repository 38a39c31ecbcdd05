"""The leaderboard: trials that may be compared, averaged over their seeds, beside the floor.

Results of different benchmark versions, datasets, devices, harness numerics or settings are never averaged together, nor do they
stand in one block.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import families
from harness.analysis.board import Board, Row
from harness.analysis.grouping import blocks_of, newest_numerics, variants_of
from harness.analysis.inference.scales import ends
from harness.analysis.missing import Missing, by_setting, of_block
from harness.analysis.notes import undefined
from harness.analysis.places import places, timed
from harness.analysis.settings import Setting, difference
from harness.analysis.standing import fit
from harness.analysis.statistics import SINGLE, summarize
from harness.outcome import over_seeds

if TYPE_CHECKING:
    from harness.store import Floor, MetricSpec, Result, TrialRow
    from harness.store.records import TrialRecord


def worse(value: float, than: float, higher_is_better: bool) -> bool:
    """Whether ``value`` is worse; never where one of them is NaN."""
    return value < than if higher_is_better else value > than


def build(
    results: Iterable[Result],
    specs: Iterable[MetricSpec],
    floors: Iterable[Floor],
    *,
    unfinished: Iterable[TrialRow] = (),
    environments: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, dict[str, Any]] | None = None,
    all_versions: bool = False,
    moderated: bool = True,
) -> Board:
    """The leaderboard of some results.

    Args:
        unfinished: trials without a result; those of versions older than what is shown are left out.
        environments: digest of an environment -> where a trial ran, and with which version of the harness's numerics.
        settings: :attr:`Result.setting` -> what is behind it.
        all_versions: show older versions of a benchmark and of the harness's numerics too, each as a block of its own.
        moderated: intervals of primary metrics borrow strength from the block's other methods; otherwise all are Student's.
    """
    notes: list[str] = []
    by_benchmark: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_benchmark[result.benchmark].append(result)
    spec_of: dict[tuple[str, int], dict[str, MetricSpec]] = defaultdict(dict)
    for spec in specs:
        spec_of[spec.benchmark, spec.version][spec.metric] = spec
    floor_of = {(f.benchmark, f.version, f.dataset, f.task, f.metric): f.value for f in floors}

    waiting: dict[str, list[TrialRow]] = defaultdict(list)
    for row in unfinished:
        waiting[row.benchmark].append(row)

    rows: list[Row] = []
    missing: list[Missing] = []
    since: list[Missing] = []
    environments, settings = environments or {}, settings or {}
    for name in sorted({*by_benchmark, *waiting}, key=lambda name: _place([*by_benchmark[name], *waiting[name]][-1])):
        done = sorted({result.version for result in by_benchmark[name]}, reverse=True)
        versions = sorted({*done, *(row.version for row in waiting[name])}, reverse=True)
        if not all_versions:
            if len(done) > 1:
                notes.append(f"{name}: version {done[0]} is shown; --all-versions shows {', '.join(map(str, done[1:]))} too.")
            versions = [version for version in versions if version >= done[0]] if done else versions[:1]
        for version in versions:
            where = f"{name} v{version}"
            every = blocks_of((r for r in by_benchmark[name] if r.version == version), settings, environments)
            blocks = newest_numerics(every, where, notes) if every and not all_versions else every
            known = spec_of[name, version]
            if blocks and not known:
                notes.append(f"{where}: no metric is described in this database; run any trial of it to describe them.")
            kept = {setting.content.get("numerics") for setting in blocks}
            left_out = {setting.content.get("numerics") for setting in every} - kept
            lacking = by_setting((row for row in waiting[name] if row.version == version), blocks, left_out, settings)
            ran: dict[str, list[Result]] = {}
            times: dict[str, str] = {}
            alike: dict[str, Setting] = {}
            first, *_ = shown = [*dict.fromkeys([*blocks, *lacking])]
            for setting in shown:
                other = replace(first, digest="", overrides=()) if setting == first and setting.overrides else first
                # where a trial without a result would have run is not known, and no difference
                differs = difference(setting if setting in blocks else replace(setting, device=other.device), other, "the first block")
                if setting == first and differs and blocks:
                    notes.append(f"{where}: run with {differs}, not as registered.")
                if setting.budget not in differs:
                    differs = "; ".join(filter(None, [setting.budget, differs]))
                if differs in alike:  # what tells both from the first block is the same, as of two searches of one budget
                    differs = f"{differs}; {difference(setting, alike[differs], 'the one above')}"
                alike[differs] = setting
                told = f"{where} · {differs}" if differs else where
                chosen = variants_of(blocks.get(setting, []), told, notes)
                ran[told] = [result for trials in chosen.values() for result in trials]
                times[told], elsewhere = timed(chosen, environments)
                block = _benchmark_rows(chosen, known, floor_of, setting, differs, elsewhere)
                notes += undefined(block, told)
                rows += _moderated(block) if moderated else block
                lacks, later = of_block(setting, differs, chosen, lacking.get(setting, []), told, notes)
                missing += lacks
                since += later
            notes += places(ran, environments, times)
    return Board(rows, notes, missing, since)


def _place(result: TrialRecord) -> tuple[int, int, str]:
    known, tiers = families.names(), families.TIERS
    family = known.index(result.family) if result.family in known else len(known)
    tier = tiers.index(result.tier) if result.tier in tiers else len(tiers)
    return family, tier, result.benchmark


_Floors = Mapping[tuple[str, int, str, str, str], float]


def _benchmark_rows(
    methods: dict[str, list[Result]],
    specs: Mapping[str, MetricSpec],
    floors: _Floors,
    setting: Setting,
    differs: str,
    elsewhere: Collection[str],
) -> list[Row]:
    rows: dict[str, list[Row]] = {}
    for method, trials in methods.items():
        measured = {name for trial in trials for name in trial.metrics}
        position = {name: index for index, name in enumerate(specs)}
        names = sorted(
            (name for name in measured if name.split("/")[0] in specs),
            key=lambda name: (not specs[name.split("/")[0]].primary, "/" in name, position[name.split("/")[0]], name),
        )
        about = _about(trials, elsewhere) | {"setting": setting, "differs": differs}
        rows[method] = [_row(trials, name, specs[name.split("/")[0]], floors, about) for name in names]

    def merit(method: str) -> tuple[bool, float, str]:
        primary = next((row for row in rows[method] if row.primary), None)
        if primary is None or math.isnan(primary.mean):
            return True, 0.0, method
        return False, -primary.mean if primary.higher_is_better else primary.mean, method

    return [row for method in sorted(rows, key=merit) for row in rows[method]]


def _moderated(rows: list[Row]) -> list[Row]:
    """The rows of a block, with those of its primary metric described by all of its methods."""
    primary = {index: row for index, row in enumerate(rows) if row.primary}
    if len(primary) < 2:  # a lone method has nobody to borrow from
        return rows
    unit = next(iter(primary.values())).unit
    cells = fit([row.values for row in primary.values()], unit)
    bounds = ends(unit, [value for row in primary.values() for value in row.values])
    for (index, row), low, high in zip(primary.items(), *cells.interval(), strict=True):
        if np.isfinite(low) and np.isfinite(high):
            rows[index] = replace(row, ci95=_cut((float(low), float(high)), bounds), interval="moderated")
    return rows


def _cut(interval: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    return max(interval[0], bounds[0]), min(interval[1], bounds[1])


def _about(trials: Sequence[Result], elsewhere: Collection[str]) -> dict[str, Any]:
    """What all rows of a method share.

    Args:
        elsewhere: environments whose times say nothing beside those of the table's other methods.
    """
    first = trials[0]
    shared = ("benchmark", "version", "dataset", "family", "tier", "slot", "method", "overrides")
    costs = (replace(t.cost, latency_ms=None) if (t.environment_digest or "") in elsewhere else t.cost for t in trials)
    cost, rough = over_seeds(zip(costs, (trial.labels for trial in trials), strict=True))
    return {name: getattr(first, name) for name in shared} | {
        "cost": cost,
        "rough": rough,
        "digests": tuple(trial.digest for trial in trials),
        "seeds": tuple(trial.seed for trial in trials),
        "collapsed": sum(trial.labels.get("attention") == "collapsed" for trial in trials),
        "map": " / ".join(dict.fromkeys(trial.labels["map"] for trial in trials if "map" in trial.labels)) or None,
    }


def _row(trials: Sequence[Result], metric: str, spec: MetricSpec, floors: _Floors, about: Mapping[str, Any]) -> Row:
    first = trials[0]
    values = tuple(float(trial.metrics.get(metric, math.nan)) for trial in trials)
    summary = summarize(values)
    floor = floors.get((first.benchmark, first.version, first.dataset, first.task, metric))
    if floor is not None and math.isnan(floor):
        floor = None
    return Row(
        metric=metric,
        title=spec.title or spec.metric,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        primary=spec.primary and "/" not in metric,
        mean=summary.mean,
        std=summary.std,
        ci95=summary.ci95 and _cut(summary.ci95, ends(spec.unit, values)),
        interval="t" if summary.ci95 else None,
        n=summary.n,
        floor=floor,
        # a method that guesses like the floor differs from it by the rounding of float32
        below_floor=floor is not None
        and worse(summary.mean, floor, spec.higher_is_better)
        and not math.isclose(summary.mean, floor, rel_tol=SINGLE),
        values=values,
        **about,
    )
