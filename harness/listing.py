"""What exists as rows of plain data, for ``harness list`` and its JSON (docs/json.md)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import benchmarks, families
from harness.benchmarks.backbones import BACKBONES
from harness.benchmarks.hosts import standing
from harness.benchmarks.stages import slots
from harness.catalog import Benchmark, Catalog, Claim
from harness.catalog.adopt import adopt, taken
from harness.catalog.claims import EXACT
from harness.catalog.load import load_catalog
from harness.catalog.plugins import PluginFile, discover
from harness.errors import HarnessError
from harness.families import Tier


def list_methods(family: str | None = None) -> list[dict[str, Any]]:
    """Every method; with ``family``, those that fit what the family's benchmarks offer."""
    catalog = adopt(load_catalog(), discover())
    offered = benchmarks.family(family).slots if family else None
    return [
        {
            "id": method.id,
            "title": method.title,
            "paper": method.paper.model_dump() if method.paper else None,
            "slots": list(method.slots),
            "state": standing(method)[0],
            "stands_in": method.stands_in,
            "plugins": {slot: {"plugin": filling.plugin, "params": filling.params} for slot, filling in method.slots.items()},
            "kind": method.kind,
            "missing": standing(method)[1],
            "notes": method.notes,
            "params": method.params,
            "complexity": method.complexity,
            "tune": {name: some and some.plain() for name, some in method.tune.items()},
        }
        for method in catalog.methods.values()
        if offered is None or method.fill(offered) is not None
    ]


def _offer(bench: Benchmark, catalog: Catalog) -> dict[str, Any]:
    try:
        task = benchmarks.task(bench)
        return {"slots": list(slots(task, catalog.benchmarks)), "metrics": [metric.name for metric in task.metrics], "error": None}
    except HarnessError as error:
        return {"slots": [], "metrics": [], "error": str(error)}


def _primary(bench: Benchmark) -> str:
    try:
        return benchmarks.task(bench).primary
    except HarnessError:
        return benchmarks.family(bench.family).primary


def list_benchmarks(family: str | None = None, *, validated: bool = True) -> list[dict[str, Any]]:
    """Every benchmark; a malformed one carries its ``error`` and spoils no other.

    Args:
        validated: look into the options, for ``slots``, ``metrics`` and ``error``; takes a tenth of a second.
    """
    catalog = load_catalog()
    return [
        {
            "id": bench.id,
            "title": bench.title,
            "family": bench.family,
            "tier": bench.tier,
            "version": bench.version,
            "format": bench.data.get("format"),
            "root": bench.data.get("root"),
            "cost": bench.cost,
            "notes": bench.notes,
            "tune": {name: some.plain() for name, some in bench.tune.items()},
            "primary": bench.primary or _primary(bench),
            **(_offer(bench, catalog) if validated else {}),
        }
        for bench in catalog.benchmarks.values()
        if family in (None, bench.family)
    ]


def list_backbones() -> list[dict[str, Any]]:
    """Every backbone that ``model.backbone`` knows by name, with the maps it gives."""
    return [
        {
            "id": name,
            "class": backbone.config["type"],
            "levels": {level: {"channels": width, "stride": stride} for level, (width, stride) in backbone.levels.items()},
            "last": backbone.last,
            "pair": list(backbone.pair),
            "block_at": backbone.block_at,
        }
        for name, backbone in BACKBONES.items()
    ]


@dataclass(frozen=True)
class Place:
    """Where a claim can be judged: a benchmark that takes its methods and has its measure."""

    benchmark: str
    tier: Tier
    measure: str
    """The metric by name, where the claim says ``primary``."""


def places(catalog: Catalog) -> dict[str, list[Place]]:
    """Claim -> the benchmarks that can judge it, whether they were run or not."""
    tasks = {}
    for bench in catalog.benchmarks.values():
        with contextlib.suppress(HarnessError):  # a malformed entry judges nothing
            tasks[bench.id] = benchmarks.task(bench)
    return {
        claim.id: [Place(task.id, task.entry.tier, found) for task in tasks.values() if (found := _measure(claim, catalog, task))]
        for claim in catalog.claims.values()
    }


def _measure(claim: Claim, catalog: Catalog, task: benchmarks.Task) -> str | None:
    if claim.missing or task.entry.family != claim.family or (claim.benchmarks and task.id not in claim.benchmarks):
        return None
    offered = slots(task, catalog.benchmarks)
    if any(catalog.methods[name].fill(offered) is None for name in claim.methods):
        return None
    if claim.metric == "primary":
        return task.primary
    known = claim.diagnostic or claim.metric in EXACT or claim.metric in {metric.name for metric in task.metrics}
    return claim.measure if known else None


def unmeasurable(claim: Claim, catalog: Catalog) -> str:
    """Why no benchmark can judge a claim that has no :func:`places`."""
    if claim.missing:
        return claim.missing
    for name in claim.methods:
        state, missing = standing(catalog.methods[name])
        if state in ("waits", "planned"):
            return f"{name} needs {missing}"
    if claim.family not in families.names():
        return f"there is no family of benchmarks for {claim.family} yet"
    return f"no benchmark of {claim.family} takes {' and '.join(claim.methods)} and has {claim.measure}"


def list_claims(family: str | None = None) -> list[dict[str, Any]]:
    """What papers say of methods, and the benchmarks that can judge it."""
    catalog = load_catalog()
    where = places(catalog)
    return [
        {
            "id": claim.id,
            "statement": claim.statement,
            "source": claim.source,
            "place": claim.place,
            "family": claim.family,
            "methods": claim.methods,
            "measure": claim.measure,
            "benchmarks": [place.benchmark for place in where[claim.id]],
            "missing": None if where[claim.id] else unmeasurable(claim, catalog),
        }
        for claim in catalog.claims.values()
        if family in (None, claim.family)
    ]


def list_suites(family: str | None = None) -> list[dict[str, Any]]:
    """Every suite; with ``family``, those with a benchmark of it."""
    catalog = load_catalog()
    rows = []
    for suite in catalog.suites.values():
        members = [catalog.benchmarks[name] for name in suite.benchmarks]
        if family and family not in {bench.family for bench in members}:
            continue
        methods = list(dict.fromkeys(name for bench in members for name in suite.methods_of(bench)))
        about = {"seeds": suite.seeds, "tune": suite.tune.model_dump() if suite.tune else None}
        rows.append({"id": suite.id, "title": suite.title, "benchmarks": suite.benchmarks, "methods": methods, **about})
    return rows


def list_plugins(
    family: str | None = None, extra: Sequence[Path] = (), on_check: Callable[[int], None] = lambda count: None
) -> list[dict[str, Any]]:
    """Every plugin with the verdict on its file, and the files that are broken and define none.

    Args:
        extra: files given with ``--plugin``.
        on_check: see :func:`harness.catalog.verify.verdicts`.
    """
    from harness.catalog.verify import verdicts  # here: what it needs to start a process slows every other list

    files = discover(tuple(extra))
    offered = benchmarks.family(family).slots if family else None
    faults, catalog = verdicts(files, on_check), load_catalog()

    def row(file: PluginFile, name: str, slot: str | None, fault: str | None) -> dict[str, Any]:
        state = "broken" if fault else "works"
        return {"name": name, "slot": slot, "origin": file.origin, "file": str(file.path), "state": state, "error": fault}

    rows = []
    for file in files:
        fault = faults[file.path]
        if not file.names and fault and not offered:
            rows.append(row(file, file.path.stem, None, fault))
        for name, slot in file.names.items():
            if offered is None or slot in offered:
                rows.append(row(file, name, slot, fault or taken(catalog, file, name)))
    return rows
