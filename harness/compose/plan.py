"""From what a user asks for to the list of trials."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from harness import data
from harness.benchmarks import Task, task
from harness.benchmarks.hosts import standing
from harness.benchmarks.stages import before, common_seed, followed, hands_on, learner, slots
from harness.catalog import Benchmark, Catalog, Method, Tune
from harness.catalog.parameters import Taken
from harness.catalog.plugins import PluginFile, broken, owners
from harness.compose.overrides import Overrides
from harness.compose.trial import Trial, compose_seeds
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
    tune: int | None = None
    """Tuning trials per method and benchmark; 0 for none, whatever the suite says."""
    tune_seeds: int | None = None
    """Tuning seeds for each of them."""


@dataclass(frozen=True)
class Cell:
    """A method on a benchmark that has a slot for it, both as ``--set`` has them."""

    method: Method
    task: Task
    fingerprint: str
    """Of the dataset."""
    told: tuple[str, ...] = ()
    """What ``--set`` changed."""
    before: Cell | None = None
    """Of a stage, who learns on the benchmark that it comes after: the same method, or the one that the stage names."""
    keep: bool = False
    """Whether its trials keep their weights, since stages come after it."""

    def trials(self, seeds: Sequence[int], files: list[PluginFile], earlier: Sequence[int] | None = None) -> list[Trial]:
        """One per seed; those that they come after are not among them.

        Args:
            earlier: seeds of those that they come after, the same by default.
        """
        before = self.earlier(seeds if earlier is None else earlier, files)
        composed = compose_seeds(self.method, self.task, seeds, self.fingerprint, files, self.told, before)
        return [replace(trial, keep=self.keep) for trial in composed]

    def earlier(self, seeds: Sequence[int], files: list[PluginFile]) -> list[Trial]:
        """What the trials of these seeds come after, one for each; nothing where it is no stage."""
        if not self.before:
            return []
        one = common_seed(self.task)
        return self.before.trials(seeds, files) if one is None else self.before.trials([one], files) * len(seeds)

    def line(self, seeds: Sequence[int], files: list[PluginFile]) -> list[Trial]:
        """The trials of these seeds behind all that must have run before."""
        one = common_seed(self.task)
        first = self.before.line(seeds if one is None else [one], files) if self.before else []
        return first + self.trials(seeds, files)


@dataclass
class Plan:
    """The trials of a selection, and the benchmarks they need (with overrides applied)."""

    trials: list[Trial]
    tasks: dict[str, Task]
    unfit: list[tuple[str, str]] = field(default_factory=list)
    """(method, benchmark) pairs left out since the benchmark has no slot for the method."""
    cells: list[Cell] = field(default_factory=list)
    seeds: int = 1
    tune: Tune | None = None
    """How much is to be tried before ``trials`` are what :mod:`harness.compose.tuning` makes of ``cells``; nothing by default."""


def _budget(selection: Selection, catalog: Catalog) -> Tune | None:
    of_suite = catalog.suites[selection.suite].tune if selection.suite is not None else None
    trials = selection.tune if selection.tune is not None else of_suite.trials if of_suite else 0
    if trials == 1:
        raise UsageError("--tune 1: one trial is what is registered. Give 2 or more, or 0 to tune nothing.")
    if trials == 0:
        if selection.tune_seeds is not None:
            raise UsageError("--tune-seeds needs --tune N.")
        return None
    return Tune(trials=trials, seeds=selection.tune_seeds or (of_suite.seeds if of_suite else 1))


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
    asked, seeds = _pairs(selection, catalog, files)
    if not asked:
        raise UsageError(f"suite '{selection.suite}' has no methods for {', '.join(selection.benchmarks)}. Name some with -m.")
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: at least one seed is needed.")
    overrides = Overrides.parse(selection.overrides)
    methods = {name: _method(catalog.methods[name], overrides) for name in dict.fromkeys(name for _, name in asked)}
    entries = catalog.benchmarks
    tasks = {name: task(overrides.of_benchmark(entries[name])) for name in dict.fromkeys(name for name, _ in asked)}
    stages = _with_stages(tasks, entries, overrides)
    offered = {name: slots(found, entries) for name, found in tasks.items()}
    changed = {name for name, found in tasks.items() if _differs(found, catalog, overrides)}
    changed |= {name for name in tasks if changed.intersection(_earlier(name, stages))}
    unfit = [(method, bench) for bench, method in asked if methods[method].fill(offered[bench]) is None]
    fitting = [Step(bench, methods[method]) for bench, method in asked if methods[method].fill(offered[bench]) is not None]
    if not fitting:
        method, bench = unfit[0]
        found = tasks[bench]
        state, lacks = standing(methods[method])
        fitting_ones = f"`harness list methods --family {found.entry.family}` shows what fits."
        hint = f"It works, but nothing can run it yet: it waits for {lacks}." if state == "waits" else fitting_ones
        raise UsageError(
            f"method '{method}' (slot {methods[method].slot}) fits no slot of '{bench}', "
            f"which offers {', '.join(offered[bench]) or 'none'}. {hint}"
        )
    lines = [_line(step, tasks, stages, catalog) for step in fitting]
    known = owners(files)
    for some in {(step.method.id, step.named): step.method for step in chain.from_iterable(lines)}.values():
        for slot in some.slots:
            check_filling(some, slot, known, files)
    used = {name: tasks[name] for name in dict.fromkeys(step.bench for step in chain.from_iterable(lines))}
    prints = {name: data.fingerprint(found, selection.data_root) for name, found in used.items()}
    kept, cells = followed(catalog), dict[tuple[str, str, bool], Cell]()
    for line in lines:
        cell = None
        for step in line:  # what comes before a stage stands before it
            said = overrides if step is line[-1] else _without_weights(overrides)
            told = said.texts(of_benchmark=step.bench in changed, of_method=step.method != catalog.methods[step.method.id])
            key = step.bench, step.method.id, step.named
            cell = cells.setdefault(key, Cell(step.method, used[step.bench], prints[step.bench], told, cell, step.bench in kept))
    budget = _budget(selection, catalog)
    if budget:
        # what only comes before a stage as registered is not tuned
        cells = {key: cell for key, cell in cells.items() if not key[2]}
        for cell in cells.values():
            _refuse_tuning(cell)
    trials = chain.from_iterable(cells[step.bench, step.method.id, False].line(range(seeds), files) for step in fitting)
    return Plan(unique(trials), used, unfit, [*cells.values()], seeds, budget)


@dataclass(frozen=True)
class Step:
    """A method that is to learn on a benchmark."""

    bench: str
    method: Method
    named: bool = False
    """Whether an entry names it, of which ``--set`` says nothing."""


def _line(last: Step, tasks: Mapping[str, Task], stages: Mapping[str, str], catalog: Catalog) -> list[Step]:
    """What comes before a step and the step itself, in their order."""
    line = [last]
    while (stage := line[0].bench) in stages:
        name, entries = learner(tasks[stage]), catalog.benchmarks
        first = (
            replace(line[0], bench=stages[stage]) if name is None else Step(stages[stage], named_learner(name, tasks[stage], catalog), True)
        )
        handed = tuple(slot for slot in slots(tasks[first.bench], entries) if hands_on(tasks[first.bench], slot))
        if name is not None and first.method.fill(handed) is None:
            raise UsageError(
                f"benchmark '{stage}': model.weights.method: '{name}' (slot {first.method.slot}) leaves nothing on '{first.bench}' that a "
                f"stage can begin with. Name one for the slot {' or '.join(handed)}: `harness list methods --family "
                f"{tasks[first.bench].entry.family}` shows them."
            )
        line.insert(0, first)
    return line


def named_learner(name: str, stage: Task, catalog: Catalog) -> Method:
    """The method that a stage names for the benchmark before it, as it is registered.

    Raises:
        UsageError: there is none of that name, or it is not implemented.
    """
    try:
        _known(name, catalog.methods, "method")
        return _method(catalog.methods[name], Overrides.parse(()))
    except UsageError as error:
        raise UsageError(f"benchmark '{stage.id}': model.weights.method: {error}") from None


def _refuse_tuning(cell: Cell) -> None:
    if cell.before and not learner(cell.task):
        first = cell.before.task.id
        raise UsageError(
            f"--tune: '{cell.task.id}' begins with weights that trials of the same method on '{first}' keep, and whether these are of "
            f"its registered or of its tuned form nobody has said. Tune '{first}' alone (-b {first}), give what was found to both with "
            "--set, and leave --tune out here."
        )


def _with_stages(tasks: dict[str, Task], entries: Mapping[str, Benchmark], overrides: Overrides) -> dict[str, str]:
    """Stage -> the benchmark that it comes after, which is put among the tasks.

    Raises:
        UsageError: a stage comes after one as it is registered, and that is asked for as ``--set`` has it.
    """
    found = {}
    waiting = [(name, overrides) for name in tasks]
    for name, told in waiting:
        entry = before(tasks[name], entries)
        if entry is not None:
            found[name] = entry.id
            said = of_earlier(tasks[name], told)
            wanted = task(said.of_benchmark(entry))
            if tasks.setdefault(entry.id, wanted).entry != wanted.entry:
                raise UsageError(
                    f"--set changes '{entry.id}', and '{name}' begins with what a method of its own learns there as registered. "
                    "Run them one by one."
                )
            if (entry.id, said) not in waiting:
                waiting.append((entry.id, said))
    return found


def of_earlier(stage: Task, overrides: Overrides) -> Overrides:
    """What ``--set`` says of all that comes before a stage: the same where the same method learns there, nothing where one is named; where
    weights come from is said of the stage alone."""
    return Overrides() if learner(stage) else _without_weights(overrides)


def _without_weights(overrides: Overrides) -> Overrides:
    return Overrides(tuple(item for item in overrides.items if item.parts[:2] != ("model", "weights")))


def _earlier(bench: str, stages: Mapping[str, str]) -> list[str]:
    """The benchmarks that come before one, the first of them first."""
    found: list[str] = []
    while bench in stages:
        bench = stages[bench]
        found.insert(0, bench)
    return found


def unique(trials: Iterable[Trial]) -> list[Trial]:
    """Each trial once, in their order."""
    return list({trial.digest: trial for trial in trials}.values())


def _method(registered: Method, overrides: Overrides) -> Method:
    if registered.state == "planned":
        raise UsageError(
            f"method '{registered.id}' is planned, not implemented: {registered.missing}. `harness list methods` shows the states."
        )
    return overrides.of_method(registered)


def _differs(found: Task, catalog: Catalog, overrides: Overrides) -> bool:
    """Whether ``--set`` changed anything of a benchmark: what is written out may be what is registered."""
    registered = catalog.benchmarks[found.id]
    if not overrides or found.entry == registered:
        return False
    before = task(registered)
    return (found.data, found.model, found.schedule) != (before.data, before.model, before.schedule)


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
    for name, value in method.slots[slot].params.items():
        if name in SLOTS[slot].given:
            raise UsageError(f"method '{method.id}', plugin '{plugin}': the harness passes '{name}', so it cannot be set.")
        if taken is not None and name not in taken:
            reason = str(did_you_mean(name, taken, "parameter") if taken else f"it takes none, so '{name}' cannot be set.")
            others = [other for other in method.slots if name in (_parameters(method.slots[other].plugin, known) or ())]
            hint = f" `--set method.{others[0]}.{name}=...` sets it in that slot alone." if others else ""
            raise UsageError(f"method '{method.id}', plugin '{plugin}': {reason}{hint}")
        accepted = taken[name] if taken else None
        if accepted is not None and not accepted.takes(value):
            raise UsageError(
                f"method '{method.id}', plugin '{plugin}': {name} is {json.dumps(value, ensure_ascii=False)}, but takes {accepted.words}. "
                "Correct it in `slots:` of the method or in --set."
            )


def _parameters(plugin: str, known: dict[str, PluginFile]) -> Taken | None:
    """What a user may set of a plugin; ``None`` where its source does not tell."""
    file = known.get(plugin)
    if file is None or plugin not in file.parameters:
        return None
    given = SLOTS[file.names[plugin]].given
    return {name: accepted for name, accepted in file.parameters[plugin].items() if name not in given}
