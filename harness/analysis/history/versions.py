"""A method on a benchmark over versions of the code, oldest first.

Every trial stays in the store under the digest of its code, config, data and seed, so that a changed plugin, entry or harness adds
trials and takes none away. Trials that differ in the seed alone are of one version.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from harness.analysis.inference.change_points import ChangePoint, change_points
from harness.analysis.missing import Missing, of_versions
from harness.analysis.settings import Setting, difference, setting_of
from harness.digests import digest_of
from harness.texts import amount

if TYPE_CHECKING:
    from harness.store import MetricSpec, Result, TrialRow

_BARS = "▁▂▃▄▅▆▇█"

_SAME_TASK = ("data", "dataset", "evaluator")
"""Of a setting: what numbers of two versions must share to be held against each other."""


def day(seconds: float) -> str:
    """In UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True)
class Version:
    """The trials of one state of the code and of what is registered."""

    name: str
    """Eight digits of a digest of both."""
    benchmark_version: int
    first: float
    """When its first trial ended, in seconds since the epoch."""
    last: float
    revisions: tuple[str, ...]
    """Git revisions that its trials ran at, with ``+`` where files were changed; in the order of time."""
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """In the order of ``seeds``."""
    digests: tuple[str, ...]
    changed: str
    """What is other than in the version before; empty for the first."""
    comparable: bool
    """Whether the version before was measured on the same data by the same scores; false for the first."""
    missing: Missing | None = None
    """Its seeds that were asked for and have no result."""
    not_numbers: tuple[int, ...] = ()
    """Seeds whose metric is missing or not a number: a leaderboard has no mean of them and the others."""

    @property
    def asked(self) -> int:
        """Seeds that were asked for."""
        return len(self.seeds) + len(self.not_numbers) + (len(self.missing.trials) if self.missing else 0)

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def day(self) -> str:
        """When its first trial ended, in UTC."""
        return day(self.first)


@dataclass(frozen=True)
class History:
    """Versions, oldest first."""

    benchmark: str
    method: str
    spec: MetricSpec
    versions: list[Version]
    changes: list[ChangePoint]
    """:attr:`ChangePoint.at` is an index of ``versions``. Searched for among versions that are comparable only."""
    left_out: int = 0
    """Trials with ``--set`` or ``--tune``, which are no version of the code, and of versions of which no seed has a number."""
    without: tuple[Missing, ...] = ()
    """Versions of which no seed has a result, oldest first."""

    @property
    def notes(self) -> list[str]:
        """What the means pass over."""
        said = [f"version {version.name}: {version.missing.survivors}." for version in self.versions if version.missing]
        said += [
            f"version {version.name}: {self.method} has no number in seed{'s' * (len(version.not_numbers) > 1)} "
            f"{', '.join(map(str, version.not_numbers))}, and those that have one are a selection."
            for version in self.versions
            if version.not_numbers
        ]
        said += [f"of a version planned {day(lacks.trials[0].created)}, {lacks.note}." for lacks in self.without]
        left_out = f"{amount(self.left_out, 'trial is', 'trials are')} left out: run with --set or --tune, or without a number."
        return [*said, left_out] if self.left_out else said

    def better(self, change: ChangePoint) -> bool:
        return (change.after > change.before) == self.spec.higher_is_better

    def sparkline(self) -> str:
        """A character per version: its mean between the least and the largest."""
        return sparkline([version.mean for version in self.versions])


def sparkline(values: Sequence[float]) -> str:
    """Blocks of eight heights; of medium height where all are equal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    if high == low:
        return _BARS[3] * len(values)
    return "".join(_BARS[min(int(8 * (value - low) / (high - low)), 7)] for value in values)


def build(
    results: Iterable[Result],
    spec: MetricSpec,
    environments: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, dict[str, Any]],
    unfinished: Iterable[TrialRow] = (),
) -> History:
    """The history of one method on one benchmark.

    Args:
        results: done trials of the method on the benchmark.
        spec: the metric.
        environments: digest of an environment -> what is behind it.
        settings: digest of a setting -> what is behind it.
        unfinished: its trials without a result.
    """
    groups: dict[Any, list[Result]] = defaultdict(list)
    results = [*results]
    # of a method, no version of the code: what --set or --tune made
    waiting = [row for row in unfinished if not row.overrides and not row.tuning]
    for result in (r for r in results if not r.overrides and not r.tuning):
        setting = setting_of(result, settings, environments)
        key = (result.version, setting.digest, setting.device, result.slot, result.config_digest, tuple(sorted(result.plugins.items())))
        groups[key].append(result)
    measured = [some for some in groups.values() if any(_is_number(r, spec) for r in some)]
    ordered = sorted(measured, key=lambda some: (min(r.finished for r in some), min(r.digest for r in some)))
    for some in ordered:
        some.sort(key=lambda r: (r.seed, r.digest))
    with_settings = [(setting_of(some[0], settings, environments), some) for some in ordered]
    missing, without = of_versions(with_settings, waiting, settings)
    versions: list[Version] = []
    before: tuple[Result, Setting] | None = None
    for (setting, some), lacks in zip(with_settings, missing, strict=True):
        numbers = [r for r in some if _is_number(r, spec)]
        others = tuple(r.seed for r in some if not _is_number(r, spec))
        versions.append(replace(_version(numbers, setting, before, spec.metric, environments), missing=lacks, not_numbers=others))
        before = some[0], setting
    changes: list[ChangePoint] = []
    for start, end in _runs(versions):
        changes += [
            ChangePoint(start + found.at, found.before, found.after, found.p)
            for found in change_points([version.values for version in versions[start:end]])
        ]
    name = results[0] if results else None
    about = (name.benchmark, name.method) if name else ("", "")
    return History(*about, spec, versions, changes, len(results) - sum(map(len, ordered)), tuple(without))


def _is_number(result: Result, spec: MetricSpec) -> bool:
    return math.isfinite(result.metrics.get(spec.metric, math.nan))


def _version(
    some: Sequence[Result],
    setting: Setting,
    before: tuple[Result, Setting] | None,
    metric: str,
    environments: Mapping[str, Mapping[str, Any]],
) -> Version:
    first = some[0]
    by_time = sorted(some, key=lambda r: r.finished)
    told = [environments.get(r.environment_digest or "", {}) for r in by_time]
    revisions = [f"{about['git_sha'][:8]}{'+' if about.get('git_dirty') else ''}" for about in told if about.get("git_sha")]
    return Version(
        name=digest_of([first.version, setting.digest, setting.device, first.slot, first.config_digest, first.plugins])[:8],
        benchmark_version=first.version,
        first=by_time[0].finished,
        last=by_time[-1].finished,
        revisions=tuple(dict.fromkeys(revisions)),
        seeds=tuple(r.seed for r in some),
        values=tuple(float(r.metrics[metric]) for r in some),
        digests=tuple(r.digest for r in some),
        changed="" if before is None else _changed(first, setting, *before),
        comparable=before is not None and _task(first, setting) == _task(*before),
    )


def _task(result: Result, setting: Setting) -> Any:
    return result.version, result.dataset, [setting.content.get(name) for name in _SAME_TASK]


def _changed(result: Result, setting: Setting, before: Result, setting_before: Setting) -> str:
    parts = []
    if result.version != before.version:
        parts.append(f"version {result.version} of the benchmark, {before.version} before")
    if found := difference(setting, setting_before, "the version before"):
        parts.append(found)
    names = sorted({*result.plugins, *before.plugins})
    if plugins := [name for name in names if result.plugins.get(name) != before.plugins.get(name)]:
        parts.append(f"source of {', '.join(plugins)}")
    if not parts:
        parts.append("the method's entry" if result.config_digest != before.config_digest else "the slot")
    return "; ".join(parts)


def _runs(versions: Sequence[Version]) -> list[tuple[int, int]]:
    """Stretches (start, end) of versions that may be held against each other."""
    ends = [index for index, version in enumerate(versions) if not version.comparable] + [len(versions)]
    return list(pairwise(ends))


def as_json(history: History) -> dict[str, Any]:
    """The history as plain data (docs/json.md)."""
    return {
        "benchmark": history.benchmark,
        "method": history.method,
        "metric": history.spec.metric,
        "unit": history.spec.unit,
        "higher_is_better": history.spec.higher_is_better,
        "rows": [
            vars(version) | {"mean": version.mean, "missing": version.missing and version.missing.plain()} for version in history.versions
        ],
        "changes": [vars(change) | {"better": history.better(change)} for change in history.changes],
        "left_out": history.left_out,
        "without": [lacks.plain() for lacks in history.without],
    }
