"""A benchmark entry with its options typed: what is planned, prepared, looked at and run."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness import families
from harness.benchmarks import inside, pictures
from harness.benchmarks.base import Family, Format, Listing, Metric, Problem, Sample
from harness.benchmarks.config import computing, refuse_drawn_images
from harness.benchmarks.options import DataOptions, HostOptions, ScheduleOptions, TrainingOptions
from harness.benchmarks.splits import official
from harness.catalog import Benchmark, Filling
from harness.catalog.load import explain
from harness.errors import UsageError, did_you_mean
from harness.texts import visible


@cache
def family(name: str) -> Family:
    """The family called ``name``.

    Raises:
        UsageError: there is none, or the package that brings it cannot be imported.
    """
    packages = families.packages()
    if name not in packages:
        raise did_you_mean(name, packages, "family")
    try:
        found: Family = importlib.import_module(packages[name]).FAMILY
    except Exception as error:  # whatever a package from outside raises
        raise UsageError(f"family '{name}' cannot be imported from {packages[name]}: {type(error).__name__}: {error}.") from error
    return found


@dataclass(frozen=True)
class Task:
    """One benchmark, ready to be asked for anything about it. Made by :func:`task`."""

    entry: Benchmark
    family: Family
    format: Format[Any]
    data: DataOptions
    model: HostOptions
    schedule: TrainingOptions

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def is_generated(self) -> bool:
        """Whether the data is generated and not brought by the user."""
        return self.format.generate is not None

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots the benchmark offers."""
        return self.model.offers(self.family.slots)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What a trial reports, the primary one included."""
        return tuple(self.family.room("scores").metrics(self.data))

    @property
    def primary(self) -> str:
        """The metric the leaderboard sorts by."""
        return self.entry.primary or self.data.primary or self.family.primary

    def config(self, fillings: dict[str, Filling]) -> dict[str, Any]:
        """The mmengine config of a trial: ``model``, dataloaders, evaluators and schedule, as plain data.

        The dataset's folder is written as :data:`harness.benchmarks.base.DATA`.

        Raises:
            UsageError: options that exclude each other.
        """
        composed: dict[str, Any] = self.family.room("config").compose(self.data, self.model, self.schedule, fillings)
        refuse_drawn_images(composed)
        if isinstance(self.schedule, ScheduleOptions):
            computing(composed, self.schedule)
        return composed

    def generate(self, out: Path) -> None:
        """Write the dataset of a generated benchmark into the empty folder ``out``, deterministically."""
        assert self.format.generate is not None
        self.format.generate(self.data, out)

    def listing(self, root: Path) -> Listing[Any]:
        """What the format's reader finds under ``root``."""
        return self.format.listing(root, self.data)

    def check(self, root: Path) -> list[Problem]:
        """What is missing or malformed under ``root``: every file a trial would read is looked at."""
        return self.check_listing(root, self.listing(root))

    def check_listing(self, root: Path, listing: Listing[Any]) -> list[Problem]:
        """The same of what was listed already."""
        check = self.family.room("check")
        own = [*check.problems(root, self.data, listing)]
        if hasattr(check, "of_model"):  # what only some models make of the data
            own += check.of_model(self.data, self.model, listing)
        return list(dict.fromkeys([*listing.problems, *official(self.data, listing), *pictures.problems(self.data, listing), *own]))

    def remarks(self, root: Path, listing: Listing[Any]) -> list[str]:
        """What is good to know of it and is nothing wrong, a line each."""
        check = self.family.room("check")
        return [*check.remarks(root, self.data, self.model, listing)] if hasattr(check, "remarks") else []

    def floor(self, root: Path) -> dict[str, float]:
        """Metrics of the trivial predictor computed from the training data alone."""
        metrics: dict[str, float] = self.family.room("floor").floor(root, self.data, self.listing(root))
        return metrics

    def samples(self, root: Path, count: int) -> list[Sample]:
        """The first ``count`` test samples with their annotations drawn in."""
        samples: list[Sample] = self.family.room("pictures").samples(root, self.data, self.listing(root), count)
        return samples


def task(entry: Benchmark) -> Task:
    """Type the options of a benchmark entry.

    Raises:
        UsageError: an unknown family, format, key or primary metric, or a value of a wrong type; named.
    """
    kin = family(entry.family)
    chosen = entry.data.get("format")
    if not isinstance(chosen, str):
        raise UsageError(f"benchmark '{entry.id}': data.format is missing. Known: {', '.join(kin.known_formats())}.")
    try:
        form = kin.format(chosen)
    except UsageError as error:
        raise UsageError(f"benchmark '{entry.id}': {error}") from None
    data = _typed(form.options, "data", entry)
    for key, text in inside.leading_out(data.model_dump(mode="json", exclude={"root"})):
        mend = "Name the place absolutely, or put a link to it there."
        raise UsageError(f"benchmark '{entry.id}': data.{key}: '{visible(text)}' leads out of the dataset's folder. {mend}")
    found = Task(entry, kin, form, data, _typed(kin.model, "model", entry), _typed(kin.schedule, "schedule", entry))
    names = [metric.name for metric in found.metrics]
    if names and found.primary not in names:  # of code that has not run nothing is known
        raise UsageError(f"benchmark '{entry.id}': primary: {did_you_mean(found.primary, names, 'metric')}")
    return found


def _typed(schema: type[BaseModel], part: str, entry: Benchmark) -> Any:
    given = getattr(entry, part)
    try:
        typed = schema.model_validate(given)
    except ValidationError as error:
        raise explain(error, (part,), {}, f"benchmark '{entry.id}'", schema) from None
    plain = typed.model_dump(mode="json")
    for where, said, wanted in _coerced(part, given, typed):
        raise UsageError(f"benchmark '{entry.id}': {where}: {json.dumps(said, ensure_ascii=False)} is not {wanted}. Write one.")
    for where, value, why in _senseless(part, plain):
        raise UsageError(f"benchmark '{entry.id}': {where}: {value:.60} {why}")
    return typed


_MOST = {int: float((1 << 31) - 1), float: 3e38}
"""No count of an entry means anything beyond, and no number is one in 32 bits."""


def _senseless(where: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """(place, what stands there, what is wrong) for numbers too large to be meant, and text that is none."""
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _senseless(f"{where}.{key}", item)
    elif isinstance(value, str) and visible(value) != value:
        yield where, repr(value), "has a character that is no text, a line break perhaps. Take it out."
    elif type(value) in _MOST and abs(value) > _MOST[type(value)]:
        yield where, str(value), f"is beyond all use. Write a number up to {_MOST[type(value)]:.10g}."


def _coerced(where: str, given: Any, typed: Any) -> Iterator[tuple[str, Any, str]]:
    """(place, what is written there, what is wanted) for text taken as a number or truth value, and one of these as the other."""
    if isinstance(typed, BaseModel):
        typed = dict(typed)  # not dumped: that leaves out what has its default
    if isinstance(given, dict) and isinstance(typed, dict):
        for key in given.keys() & typed.keys():
            yield from _coerced(f"{where}.{key}", given[key], typed[key])
    elif isinstance(given, (list, tuple)) and isinstance(typed, (list, tuple)):
        for index, (one, other) in enumerate(zip(given, typed, strict=False)):
            yield from _coerced(f"{where}.{index}", one, other)
    elif isinstance(typed, bool) and not isinstance(given, bool):
        yield where, given, "true or false"
    elif isinstance(typed, (int, float)) and isinstance(given, (str, bool)) and not isinstance(typed, bool):
        yield where, given, "a number"
