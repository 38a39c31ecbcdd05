"""From what a user asks for to the list of trials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from harness import benchmarks, data
from harness.benchmarks.hosts import standing
from harness.catalog import Benchmark, Catalog, Method
from harness.catalog.load import explain, plain
from harness.catalog.plugins import PluginFile, broken, owners
from harness.compose.trial import Trial, compose
from harness.errors import UsageError, did_you_mean
from harness.slots import SLOTS


@dataclass
class Selection:
    """What to run."""

    suite: str | None = None
    methods: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    seeds: int | None = None
    overrides: tuple[str, ...] = ()
    """``key=value`` with a dotted key: ``schedule.epochs=3``, ``model.backbone=resnet18``, ``method.gamma=2`` (of every plugin
    of the method) or ``method.attention_loss.weight=1`` (of the one in that slot)."""
    data_root: Path | None = None


@dataclass
class Plan:
    """The trials of a selection, and the benchmarks they need (with overrides applied)."""

    trials: list[Trial]
    benchmarks: dict[str, Benchmark]
    unfit: list[tuple[str, str]] = field(default_factory=list)
    """(method, benchmark) pairs left out since the benchmark has no slot for the method."""


def override(entry: Benchmark, method: Method, overrides: Iterable[str]) -> tuple[Benchmark, Method]:
    """Apply ``key=value`` overrides; the results are validated like registry entries.

    Raises:
        UsageError: not ``key=value``, an unknown key, a value of a wrong type.
    """
    raw_entry, raw_method = entry.model_dump(), method.model_dump()
    for text in overrides:
        key, found, value_text = text.partition("=")
        parts = key.strip().split(".")
        if not found or not all(parts):
            raise UsageError(f"--set {text}: write key=value, e.g. schedule.epochs=3 or method.gamma=2.")
        try:
            value = plain(yaml.safe_load(value_text), f"--set {text}")
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"--set {text}: the value is not YAML ({getattr(error, 'problem', error)}).") from None
        if parts[0] == "method" and len(parts) in (2, 3):
            slots = raw_method["slots"]
            if len(parts) == 2 and parts[1] in slots:
                raise UsageError(f"--set {text}: '{parts[1]}' is a slot. Write method.{parts[1]}.PARAMETER={value_text}.")
            if len(parts) == 3 and parts[1] not in slots:
                raise UsageError(f"--set {text}: method '{method.id}': {did_you_mean(parts[1], slots, 'slot')}")
            for filling in slots.values() if len(parts) == 2 else (slots[parts[1]],):
                filling[parts[-1]] = value
            continue
        if parts[0] not in ("data", "model", "schedule") or len(parts) < 2:
            raise UsageError(f"--set {text}: the key starts with data., model., schedule. or method.")
        target: dict[str, Any] = raw_entry
        for part in parts[:-1]:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise UsageError(f"--set {text}: '{part}' is not a mapping.")
        target[parts[-1]] = value
    try:
        return Benchmark.model_validate(raw_entry), Method.model_validate(raw_method)
    except ValidationError as error:
        raise explain(error, (), {}, "--set") from None


def _pairs(selection: Selection, catalog: Catalog, files: list[PluginFile]) -> tuple[list[tuple[str, str]], int]:
    """(benchmark, method) names and the number of seeds."""
    if selection.suite is not None:
        if selection.suite not in catalog.suites:
            raise did_you_mean(selection.suite, catalog.suites, "suite", "harness list suites")
        suite = catalog.suites[selection.suite]
        pairs = []
        for name in selection.benchmarks or suite.benchmarks:
            _known(name, catalog.benchmarks, "benchmark")
            pairs += [(name, m) for m in selection.methods or suite.methods_of(catalog.benchmarks[name])]
        seeds = suite.seeds
    else:
        if not selection.methods or not selection.benchmarks:
            raise UsageError("say what to run: a suite (-s quick), or at least one method (-m) and one benchmark (-b).")
        pairs = [(b, m) for b in selection.benchmarks for m in selection.methods]
        seeds = 1
    for bench, method in pairs:
        _known(bench, catalog.benchmarks, "benchmark")
        _known(method, catalog.methods, "method", broken(files))
    return list(dict.fromkeys(pairs)), selection.seeds or seeds


def _known(name: str, entries: dict[str, Any], what: str, hint: str = "") -> None:
    if name not in entries:
        raise UsageError(f"{did_you_mean(name, entries, what, f'harness list {what}s')}{hint}")


def plan(selection: Selection, catalog: Catalog, files: list[PluginFile]) -> Plan:
    """All trials of a selection, without duplicates, in a stable order.

    Raises:
        UsageError: unknown names, bad overrides, a planned method, a method that fits none of the benchmarks.
        DataError: a dataset is missing or malformed.
    """
    pairs, seeds = _pairs(selection, catalog, files)
    if not pairs:
        raise UsageError(f"suite '{selection.suite}' has no methods for {', '.join(selection.benchmarks)}. Name some with -m.")
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: at least one seed is needed.")
    known = owners(files)
    trials: dict[str, Trial] = {}
    used: dict[str, Benchmark] = {}
    unfit: list[tuple[str, str]] = []
    fitting: list[tuple[Benchmark, Method, tuple[str, ...]]] = []
    for bench_name, method_name in pairs:
        method = catalog.methods[method_name]
        if method.state == "planned":
            raise UsageError(
                f"method '{method.id}' is planned, not implemented: {method.missing}. `harness list methods` shows the states."
            )
        registered = catalog.benchmarks[bench_name], method
        bench, method = override(*registered, selection.overrides)
        benchmarks.options(bench)
        metrics = [metric.name for metric in benchmarks.family(bench.family).metrics(bench)]
        if bench.primary and bench.primary not in metrics:
            raise UsageError(f"benchmark '{bench.id}': primary: {did_you_mean(bench.primary, metrics, 'metric')}")
        fillings = method.fill(benchmarks.family(bench.family).slots_of(bench))
        if fillings is None:
            unfit.append((method_name, bench_name))
            continue
        for slot in method.slots:
            check_filling(method, slot, known, files)
        changed = (bench, method) != registered and (benchmarks.options(bench), method) != (
            benchmarks.options(registered[0]),
            registered[1],
        )
        fitting.append((bench, method, selection.overrides if changed else ()))
        used[bench.id] = bench
    if not fitting:
        method, bench_name = unfit[0]
        state, lacks = standing(catalog.methods[method])
        offered = benchmarks.family(catalog.benchmarks[bench_name].family).slots_of(catalog.benchmarks[bench_name])
        fitting_ones = f"`harness list methods --family {catalog.benchmarks[bench_name].family}` shows what fits."
        hint = f"It works, but nothing can run it yet: it waits for {lacks}." if state == "waits" else fitting_ones
        raise UsageError(
            f"method '{method}' (slot {catalog.methods[method].slot}) fits no slot of '{bench_name}', "
            f"which offers {', '.join(offered)}. {hint}"
        )
    prints = {name: data.fingerprint(bench, selection.data_root) for name, bench in used.items()}
    for bench, method, changes in fitting:
        for seed in range(seeds):
            trial = replace(compose(method, bench, seed, prints[bench.id], files), overrides=changes)
            trials[trial.digest] = trial
    return Plan(list(trials.values()), used, unfit)


def check_filling(method: Method, slot: str, known: dict[str, PluginFile], files: list[PluginFile]) -> None:
    """Refuse a plugin that does not exist, is made for another slot or does not take a parameter, as far as its source tells.

    Args:
        slot: one of ``method.slots``.
        known: plugin name -> the file that defines it.

    Raises:
        UsageError: the slot's filling is one of these.
    """
    plugin = method.slots[slot].plugin
    _known(plugin, known, "plugin", broken(files))
    made_for = known[plugin].names[plugin]
    if made_for != slot:
        raise UsageError(
            f"method '{method.id}' puts the plugin '{plugin}' into its slot {slot}, but it is made for {made_for}. "
            "Correct `slots:` of the method."
        )
    taken = _parameters(plugin, known)
    for name in method.slots[slot].params:
        if name in SLOTS[slot].given:
            raise UsageError(f"method '{method.id}', plugin '{plugin}': the harness passes '{name}', so it cannot be set.")
        if taken is not None and name not in taken:
            reason = str(did_you_mean(name, taken, "parameter") if taken else f"it takes none, so '{name}' cannot be set.")
            others = [other for other in method.slots if name in (_parameters(method.slots[other].plugin, known) or ())]
            hint = f" `--set method.{others[0]}.{name}=...` sets it in that slot alone." if others else ""
            raise UsageError(f"method '{method.id}', plugin '{plugin}': {reason}{hint}")


def _parameters(plugin: str, known: dict[str, PluginFile]) -> list[str] | None:
    """What a user may set of a plugin; ``None`` where its source does not tell."""
    file = known.get(plugin)
    if file is None or plugin not in file.parameters:
        return None
    given = SLOTS[file.names[plugin]].given
    return [name for name in file.parameters[plugin] if name not in given]
