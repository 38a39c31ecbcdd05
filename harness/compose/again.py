"""Plan again, with what is registered here, trials of which a store has the names and options: for who runs what others planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import data
from harness.benchmarks import Task, task
from harness.benchmarks.stages import before, followed, learner, slots
from harness.catalog import Benchmark, Catalog, Method, load_catalog
from harness.catalog.adopt import adopt
from harness.catalog.plugins import PluginFile, discover
from harness.compose.overrides import Overrides
from harness.compose.plan import Cell, named_learner, of_earlier
from harness.compose.trial import Trial, as_tuning
from harness.compose.tuning import FIRST_SEED
from harness.digests import digest_of
from harness.errors import HarnessError, did_you_mean

if TYPE_CHECKING:
    from harness.store.records import TrialRow


@dataclass(frozen=True)
class Registered:
    """The methods, benchmarks and plugins that are here."""

    catalog: Catalog
    files: list[PluginFile]

    @classmethod
    def here(cls, plugins: Sequence[Path] = (), coded: Mapping[str, Benchmark] | None = None) -> Registered:
        """
        Args:
            plugins: files from elsewhere, as ``--plugin`` names them.
            coded: benchmarks that are code, see :func:`harness.benchmarks.openmmlab.code.found`; none runs here.
        """
        files = discover(tuple(plugins))
        catalog = adopt(load_catalog(), files)
        return cls(catalog.model_copy(update={"benchmarks": {**catalog.benchmarks, **(coded or {})}}), files)

    def cell(self, row: TrialRow, tuning: Mapping[str, Any] | None) -> tuple[Method, Task]:
        """The method and the benchmark of a trial, with what it changed of them.

        Args:
            tuning: what was tried to find its options (:meth:`harness.compose.tuning.Search.report`); empty where nothing was.

        Raises:
            HarnessError: the registry does not have the method or the benchmark, or refuses the options.
        """
        for name, known, what in ((row.method, self.catalog.methods, "method"), (row.benchmark, self.catalog.benchmarks, "benchmark")):
            if name not in known:
                raise _unregistered(row) if what == "benchmark" and row.config_file else did_you_mean(name, known, what)
        found: Mapping[str, Any] = {}
        if tuning and not row.purpose and tuning["winner"] is not None:
            found = tuning["points"][tuning["winner"]]["values"]
        changes = Overrides.parse([*row.overrides, *texts(found)])
        method, bench = (
            changes.of_method(self.catalog.methods[row.method]),
            task(changes.of_benchmark(self.catalog.benchmarks[row.benchmark])),
        )
        if method.fill(slots(bench, self.catalog.benchmarks)) is None:
            raise HarnessError(f"method '{row.method}' fits no slot of '{row.benchmark}' here.")
        return method, bench

    def trials(
        self,
        rows: Sequence[TrialRow],
        cell: tuple[Method, Task],
        conditions: Mapping[str, Any],
        tuning: Mapping[str, Any] | None,
        fingerprint: str,
        of_other: Callable[[Task], str] = lambda other: data.fingerprint(other, None),
    ) -> list[Trial]:
        """The trials that are run here where ``rows`` are asked for, in their order: equal digests say that they are the same.

        Args:
            rows: trials that differ in their seed only.
            cell: :meth:`cell` of them.
            conditions: what is behind their setting (:meth:`harness.store.Store.settings`); the budget of tuned ones is part of it.
            tuning: as in :meth:`cell`.
            fingerprint: of the dataset.
            of_other: fingerprint of the dataset of a benchmark that a stage comes after.

        Raises:
            HarnessError: their weights are missing here.
        """
        first = rows[0]
        seeds = [row.seed for row in rows]
        earlier = [seed - FIRST_SEED for seed in seeds] if first.purpose else None
        found = self._cell(*cell, fingerprint, first.overrides, of_other).trials(seeds, self.files, earlier)
        if first.purpose:
            return [as_tuning(trial) for trial in found]
        if "tuning" not in conditions:
            return found
        about: dict[str, Any] = {"setting": first.setting, "conditions": conditions, "tuning": first.tuning, "search": tuning or {}}
        return [replace(trial, digest=digest_of([trial.digest, conditions["tuning"]]), **about) for trial in found]

    def _cell(self, method: Method, bench: Task, fingerprint: str, told: tuple[str, ...], of_other: Callable[[Task], str]) -> Cell:
        entry, keep = before(bench, self.catalog.benchmarks), bench.id in followed(self.catalog)
        if entry is None:
            return Cell(method, bench, fingerprint, told, keep=keep)
        earlier, name = task(of_earlier(bench, Overrides.parse(told)).of_benchmark(entry)), learner(bench)
        first, said = (method, told) if name is None else (named_learner(name, bench, self.catalog), ())
        return Cell(method, bench, fingerprint, told, self._cell(first, earlier, of_other(earlier), said, of_other), keep)


def _unregistered(row: TrialRow) -> HarnessError:
    return HarnessError(f"its benchmark is the config file {row.config_file}, which is code and runs only where it is named (--config).")


def texts(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The ``key=value`` of a point of a search, as its trials have them."""
    return tuple(f"{key}={json.dumps(value)}" for key, value in values.items())


def difference(row: TrialRow, trial: Trial, conditions: Mapping[str, Any]) -> str:
    """Why ``trial`` is what is run here where ``row`` was asked for, in a sentence; empty where it is the same one.

    Args:
        conditions: what is behind the setting of ``row``.
    """
    if trial.digest == row.digest:
        return ""
    numerics = conditions.get("numerics"), trial.conditions.get("numerics")
    sources = [name for name in sorted({*row.plugins, *trial.plugins}) if row.plugins.get(name) != trial.plugins.get(name)]
    reasons = [
        f"the benchmark is of version {trial.version}, not {row.version}" if trial.version != row.version else "",
        f"the harness's numerics are {numerics[1]}, not {numerics[0]}" if None not in numerics and numerics[0] != numerics[1] else "",
        f"the code of {', '.join(sources)} is another" if sources else "",
        "the config is another" if trial.config_digest != row.config_digest else "",
        f"the data are others ({trial.dataset}, not {row.dataset})" if trial.dataset != row.dataset else "",
    ]
    return f"Here it is another trial ({trial.digest}): {'; '.join(filter(None, reasons)) or 'the options of the method are others'}."


def alike(rows: Iterable[TrialRow]) -> list[list[TrialRow]]:
    """Trials that differ in their seed only, together."""
    found: dict[tuple[Any, ...], list[TrialRow]] = {}
    for row in rows:
        kind = (row.benchmark, row.method, row.overrides, row.purpose, row.setting, row.tuning, row.config_digest, row.dataset)
        found.setdefault((*kind, tuple(row.plugins.items())), []).append(row)
    return [*found.values()]
