"""Stages: benchmarks that begin with the weights that a trial, mostly of the same seed, has learned on another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.benchmarks.task import Task, task
from harness.catalog import Benchmark, Catalog
from harness.errors import UsageError, did_you_mean


def before(stage: Task, benchmarks: Mapping[str, Benchmark]) -> Benchmark | None:
    """The benchmark that comes before a stage; ``None`` where none does.

    Raises:
        UsageError: there is none of that name.
    """
    name = stage.model.weights.after if stage.model.weights else None
    if name is not None and name not in benchmarks:
        raise UsageError(f"benchmark '{stage.id}': model.weights.after: {did_you_mean(name, benchmarks, 'benchmark')}")
    return benchmarks[name] if name is not None else None


def slots(stage: Task, benchmarks: Mapping[str, Benchmark]) -> tuple[str, ...]:
    """The slots that a method has to fit: those of the benchmark from which on it learns, the first of a chain of stages as a rule.

    Raises:
        UsageError: the chain is a circle, or breaks off.
    """
    found, first, seen, through = None, stage, {stage.id}, list[Task]()
    while (entry := before(first, benchmarks)) is not None:
        if entry.id in seen:
            raise UsageError(f"benchmark '{stage.id}': model.weights.after leads back to '{entry.id}'. Let one of them begin without.")
        seen.add(entry.id)
        if found is None and learner(first):
            found = first.slots
        first = task(entry)
        if found is None:
            through.append(first)
    return tuple(slot for slot in (first.slots if found is None else found) if all(hands_on(one, slot) for one in through))


def hands_on(earlier: Task, slot: str) -> bool:
    """Whether a stage can begin with the backbone that a method of ``slot`` leaves."""
    return earlier.family.handed_on is None or slot in earlier.family.handed_on


def learner(stage: Task) -> str | None:
    """The one method that learns on the benchmark before a stage, whatever is evaluated on it; ``None``: each learns there itself."""
    return stage.model.weights.method if stage.model.weights else None


def common_seed(stage: Task) -> int | None:
    """The one seed whose trial comes before all of a stage's; ``None``: each has its own."""
    return stage.model.weights.seed if stage.model.weights else None


def followed(catalog: Catalog) -> set[str]:
    """The benchmarks that some stage comes after, whose trials keep their weights therefore."""
    return {name for entry in catalog.benchmarks.values() for name in _after(entry)}


def _after(entry: Benchmark) -> Iterator[str]:
    # untyped, since a malformed entry must not spoil others
    weights = entry.model.get("weights")
    if isinstance(weights, dict) and isinstance(weights.get("after"), str):
        yield weights["after"]
