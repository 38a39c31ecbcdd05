"""A stored set of results that a regression check compares with, as a JSON file (docs/json.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.analysis.gate.expected import Expected, Key, mean_of
from harness.analysis.settings import Setting, of_benchmark
from harness.catalog.load import explain
from harness.errors import UsageError
from harness.files import regular
from harness.outcome import COSTS, DEAREST

SCHEMA = 3
"""Of the files written. Those of schema 1 and 2 keep means and tolerances only, those of 1 not even the setting."""

TRAINING = "training_s"
"""Seconds of training; a cost beside the fields of :class:`harness.outcome.Cost`."""

Cell = tuple[str, int, str]
"""Benchmark, version, method."""


@dataclass(frozen=True)
class Baseline:
    """What a check is held against."""

    entries: list[Expected]
    left_out: frozenset[Key] = frozenset()
    """Metrics that could not fail; they are not judged."""
    machines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """:attr:`Expected.machines` -> what is known of it."""
    costs: Mapping[Cell, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    """Cost -> its value for each seed, see :mod:`harness.analysis.gate.costs`."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Entry(_Record):
    """A line of schema 1 and 2."""

    benchmark: str
    version: int = Field(ge=1, lt=1 << 31)
    method: str
    metric: str
    unit: str
    higher_is_better: bool
    mean: float | None
    n: int = Field(ge=1)
    tolerance: float = Field(ge=0)
    setting: str | None = None
    device: str = ""
    overrides: list[str] = []


class _Means(_Record):
    """Schema 1 and 2."""

    schema_version: int = Field(alias="schema")
    harness: str = ""
    settings: dict[str, dict[str, Any]] = {}
    entries: list[_Entry]


class _Metric(_Record):
    metric: str
    unit: str
    higher_is_better: bool
    primary: bool = False
    floor: float | None = None
    tolerance: float = Field(ge=0)
    given: bool = False
    values: list[float | None] = Field(min_length=1)


class _Cell(_Record):
    benchmark: str
    version: int = Field(ge=1, lt=1 << 31)
    method: str
    setting: str
    device: str
    overrides: list[str] = []
    n: int = Field(ge=1)
    seeds: list[int] = Field(min_length=1)
    digests: list[str]
    machines: list[str]
    costs: dict[str, list[Annotated[float, Field(gt=0, le=DEAREST)]]] = {}
    metrics: list[_Metric]

    @model_validator(mode="after")
    def _one_value_a_seed(self) -> _Cell:
        count = len(self.seeds)
        lengths = {"digests": len(self.digests), "machines": len(self.machines), **{m.metric: len(m.values) for m in self.metrics}}
        for name, length in lengths.items():
            if length != count:
                raise ValueError(f"{name} of '{self.method}' on {self.benchmark} has {length} values for {count} seeds")
        for name, values in self.costs.items():
            if name not in (*COSTS, TRAINING) or len(values) != count:
                raise ValueError(
                    f"the cost {name} of '{self.method}' on {self.benchmark} is not known, or not one for each of {count} seeds"
                )
        if len({*self.seeds}) != count or self.n > count:
            raise ValueError(f"'{self.method}' on {self.benchmark} has a seed twice, or fewer than the n = {self.n} that a check must have")
        return self


class _Machine(_Record):
    device: str = ""
    machine: str | None = None
    cpu: str | None = None
    cpu_isa: str | None = None
    device_name: str | None = None
    cuda: str | None = None
    packages: dict[str, str] = {}


class _LeftOut(_Record):
    benchmark: str
    version: int
    method: str
    metric: str


class _Cells(_Record):
    schema_version: int = Field(alias="schema")
    harness: str = ""
    settings: dict[str, dict[str, Any]]
    machines: dict[str, _Machine]
    left_out: list[_LeftOut] = []
    cells: list[_Cell]


_SHAPES: dict[Any, type[_Means | _Cells]] = {1: _Means, 2: _Means, SCHEMA: _Cells}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def dump(baseline: Baseline, harness: str) -> str:
    """The file's text: a line for each setting, machine, method and metric, so that a change of the baseline reads well as a diff."""
    settings = {entry.setting: dict(entry.measured_in.content) for entry in baseline.entries if entry.setting and entry.measured_in}
    cells = [_cell_text([*some], baseline) for _, some in groupby(baseline.entries, lambda entry: entry.key[:3])]
    tables = [
        f'"{name}": {{\n' + ",\n".join(f"  {_json(digest)}: {_json(content)}" for digest, content in table.items()) + "\n}"
        for name, table in (("settings", settings), ("machines", baseline.machines))
    ]
    names = ("benchmark", "version", "method", "metric")
    left_out = ",\n".join(f"  {_json(dict(zip(names, key, strict=True)))}" for key in sorted(baseline.left_out))
    lists = f'"left_out": [\n{left_out}\n], "cells": [\n' + ",\n".join(cells) + "\n]"
    return f'{{"schema": {SCHEMA}, "harness": {_json(harness)}, {tables[0]}, {tables[1]}, {lists}}}\n'


def _cell_text(entries: list[Expected], baseline: Baseline) -> str:
    first = entries[0]
    cell = first.key[:3]
    head = {
        "benchmark": first.benchmark,
        "version": first.version,
        "method": first.method,
        "setting": first.setting,
        "device": first.device,
        "overrides": list(first.overrides),
        "n": first.n,
        "seeds": list(first.seeds),
        "digests": list(first.digests),
        "machines": list(first.machines),
        "costs": {name: list(values) for name, values in baseline.costs.get(cell, {}).items()},
    }
    metrics = [
        {
            "metric": entry.metric,
            "unit": entry.unit,
            "higher_is_better": entry.higher_is_better,
            "primary": entry.primary,
            "floor": entry.floor,
            "tolerance": entry.tolerance,
            **({"given": True} if entry.given else {}),
            "values": [value if math.isfinite(value) else None for value in entry.values],
        }
        for entry in entries
    ]
    return f"  {_json(head)[:-1]}, " + '"metrics": [\n' + ",\n".join(f"    {_json(metric)}" for metric in metrics) + "\n  ]}"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def load(file: Path) -> Baseline:
    """Read and validate a baseline.

    Raises:
        UsageError: missing, unreadable, not JSON, another schema, malformed or repeated entries.
    """
    try:
        content = json.loads(regular(file).read_text(encoding="utf-8-sig"), parse_constant=_no_constant)
    except OSError as error:
        raise UsageError(f"cannot read the baseline {file}: {error.strerror}. `harness baseline save {file}` writes one.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the baseline {file} is not JSON: {error}. Restore it, or save it anew with `harness baseline save`.") from None
    if not isinstance(content, dict):
        raise UsageError(f"the baseline {file} is a mapping with the key schema; found {type(content).__name__}.")
    schema = content.get("schema")
    if type(schema) is not int or schema not in _SHAPES:
        known = ", ".join(map(str, _SHAPES))
        raise UsageError(f"the baseline {file} has schema {schema!r}; this harness reads {known}. `harness baseline save` writes one.")
    try:
        found = _SHAPES[schema].model_validate(content)
    except ValidationError as error:
        raise explain(error, (), {}, f"the baseline {file}") from None
    entries = [*(_of_means(found, file) if isinstance(found, _Means) else _of_cells(found, file))]
    seen = set()
    for entry in entries:
        if entry.key in seen:
            raise UsageError(
                f"the baseline {file} holds {entry.metric} of '{entry.method}' on {entry.benchmark} v{entry.version} twice. Delete one."
            )
        seen.add(entry.key)
    if isinstance(found, _Means):
        return Baseline(entries)
    left_out = frozenset((some.benchmark, some.version, some.method, some.metric) for some in found.left_out)
    costs = {
        (cell.benchmark, cell.version, cell.method): {name: tuple(values) for name, values in cell.costs.items()} for cell in found.cells
    }
    return Baseline(entries, left_out, {name: machine.model_dump() for name, machine in found.machines.items()}, costs)


def _of_means(found: _Means, file: Path) -> Iterator[Expected]:
    for entry in found.entries:
        told = entry.model_dump() | {"overrides": tuple(entry.overrides)}
        yield Expected(**told, measured_in=_setting(entry, found.settings, file) if entry.setting is not None else None)


def _of_cells(found: _Cells, file: Path) -> Iterator[Expected]:
    for cell in found.cells:
        about: dict[str, Any] = {name: getattr(cell, name) for name in ("benchmark", "version", "method", "n", "setting", "device")}
        about |= {name: tuple(getattr(cell, name)) for name in ("overrides", "seeds", "digests", "machines")}
        measured_in = _setting(cell, found.settings, file)
        for metric in cell.metrics:
            values = tuple(math.nan if value is None else value for value in metric.values)
            told = metric.model_dump() | {"values": values, "mean": mean_of(values)}
            yield Expected(**about, **told, measured_in=measured_in)


def _setting(entry: _Entry | _Cell, settings: Mapping[str, dict[str, Any]], file: Path) -> Setting:
    """What is behind an entry's setting."""
    if entry.setting is None or entry.setting not in settings:
        raise UsageError(
            f"the baseline {file}: '{entry.method}' on {entry.benchmark} was measured in the setting {entry.setting}, "
            "which `settings` does not have. Restore the file, or save it anew with `harness baseline save`."
        )
    return Setting(entry.setting, entry.device, of_benchmark(tuple(entry.overrides)), settings[entry.setting])
