"""One trial: everything that determines its result, and the digest of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.benchmarks import Task, weights
from harness.benchmarks.base import Metric
from harness.benchmarks.stages import common_seed
from harness.catalog import Filling, Method
from harness.catalog.plugins import PluginFile, source_digest
from harness.compose.setting import NUMERICS, of_task, setting
from harness.digests import digest_of
from harness.errors import UsageError

TUNING = "tuning"


@dataclass(frozen=True)
class Trial:
    """A planned trial. Paths, device and worker count are not part of it: they do not change its result."""

    digest: str
    benchmark: str
    version: int
    family: str
    tier: str
    method: str
    slot: str
    """The slots the method fills, joined by ``+``."""
    seed: int
    config: dict[str, Any]
    config_digest: str
    """Digest of the config alone; trials that differ in their seed only share it."""
    dataset: str
    """Fingerprint of the dataset."""
    plugins: dict[str, str]
    """Plugin name -> digest of its source."""
    cost: float
    """Expected seconds on one core."""
    time_limit: float | None = None
    metrics: tuple[Metric, ...] = ()
    """What its evaluator must return."""
    overrides: tuple[str, ...] = ()
    """What ``--set`` changed, as ``key=value``; told to readers, in the digest by its effect only."""
    config_file: str = ""
    """The file that is its benchmark, as ``--config`` named it; told to readers, in the digest by what it says only."""
    files: dict[str, str] = field(default_factory=dict)
    """What stands for a file in ``config`` -> where it lies, see :func:`harness.benchmarks.weights.by_content`."""
    task: str = ""
    """Digest of the data and its scores: what a floor depends on."""
    setting: str = ""
    """Digest of :attr:`conditions`: with another one, numbers cannot be compared."""
    conditions: dict[str, Any] = field(default_factory=dict)
    """See :func:`harness.compose.setting.setting`."""
    purpose: str = ""
    """:data:`TUNING` for a trial that only helps to choose options: it is not tested, and no table shows it."""
    tuning: str = ""
    """Digest of :attr:`search`; empty where nothing was tuned."""
    recipe: str = ""
    """Digest of all that determines its result but the seed: what a stage after it names in its config, which seeds share."""
    before: str = ""
    """Digest of the trial whose kept weights this one begins with, and which it therefore waits for; empty where there is none."""
    keep: bool = False
    """Whether weights and predictions are kept; of no effect on any number, and not in the digest."""
    search: dict[str, Any] = field(default_factory=dict)
    """What was tried to find the options of this trial, see :meth:`harness.compose.tuning.Search.report`."""


def compose(method: Method, task: Task, seed: int, fingerprint: str, files: list[PluginFile], overrides: tuple[str, ...] = ()) -> Trial:
    """The trial of ``method``, which fits ``task``; see :func:`compose_seeds`."""
    return compose_seeds(method, task, (seed,), fingerprint, files, overrides)[0]


def compose_seeds(
    method: Method,
    task: Task,
    seeds: Sequence[int],
    fingerprint: str,
    files: list[PluginFile],
    overrides: tuple[str, ...] = (),
    before: Sequence[Trial] = (),
) -> list[Trial]:
    """The trials of ``method``, which fits ``task``: one per seed, of one config that is composed once.

    Args:
        fingerprint: of the task's dataset, see :func:`harness.data.fingerprint`.
        files: the plugin files known, see :func:`harness.catalog.plugins.discover`.
        overrides: what ``--set`` changed.
        before: of a stage, the trials that it comes after, one per seed; the method need not fit the stage then.

    Raises:
        UsageError: the file of weights is missing or another than announced.
    """
    fillings = method.fill(task.slots)
    if fillings is None and before:
        fillings = {}
    assert fillings is not None, f"{method.id} fits no slot of {task.id}"
    told = method, task, fingerprint, files, overrides, fillings
    if before:
        return [trial for seed, one in zip(seeds, before, strict=True) for trial in _compose(*told, (seed,), one)]
    return _compose(*told, seeds)


def _compose(
    method: Method,
    task: Task,
    fingerprint: str,
    files: list[PluginFile],
    overrides: tuple[str, ...],
    fillings: dict[str, Filling],
    seeds: Sequence[int],
    before: Trial | None = None,
) -> list[Trial]:
    """Of one config."""
    try:
        known = "" if before is None else before.recipe if common_seed(task) is None else before.digest
        config, places = weights.by_content(task.config(fillings), known)
    except UsageError as error:
        raise UsageError(f"benchmark '{task.id}': {error}") from None
    plugins = {name: source_digest(name, files) for name in sorted(plugins_in(config) | plugins_of(fillings))}
    config_digest = digest_of(config)
    bench, conditions = task.entry, setting(task, fingerprint, before.conditions if before else None)
    given = task.model.weights
    identity = {
        "config": config_digest,
        "benchmark": [bench.id, bench.version],
        "method": [method.id, {slot: [filling.plugin, filling.params] for slot, filling in fillings.items()}],
        "plugins": plugins,
        "dataset": fingerprint,
        "numerics": NUMERICS,
    }
    common: dict[str, Any] = {
        "benchmark": bench.id,
        "version": bench.version,
        "family": bench.family,
        "tier": bench.tier,
        "method": method.id,
        "slot": "+".join(fillings or method.slots),
        "config": config,
        "config_digest": config_digest,
        "dataset": fingerprint,
        "plugins": plugins,
        "cost": bench.cost,
        "time_limit": bench.time_limit,
        "metrics": task.metrics,
        "overrides": overrides,
        "config_file": task.data.config_file,
        "files": places,
        "task": digest_of(of_task(conditions)),
        "setting": digest_of(conditions),
        "conditions": conditions,
        "before": before.digest if before else (given and given.trial) or "",
        "recipe": digest_of(identity),
    }
    return [Trial(digest=digest_of(identity | {"seed": seed}), seed=seed, **common) for seed in seeds]


def as_tuning(trial: Trial) -> Trial:
    """The trial that only helps to choose options."""
    return replace(trial, digest=digest_of([trial.digest, TUNING]), purpose=TUNING, setting="", conditions={})


def plugins_in(config: Any) -> set[str]:
    """Names of all plugins a config builds: those of the method, and baselines in the slots it leaves open."""
    if isinstance(config, dict):
        own = {config["plugin"]} if isinstance(config.get("plugin"), str) else set()
        return own.union(*map(plugins_in, config.values()))
    return set().union(*map(plugins_in, config)) if isinstance(config, (list, tuple)) else set()


def plugins_of(fillings: dict[str, Filling]) -> set[str]:
    """Names of the plugins behind a method."""
    return {filling.plugin for filling in fillings.values()}
