"""A stored set of results that a regression check compares with, as a JSON file (docs/json.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.analysis.leaderboard import Board, Row
from harness.analysis.settings import Setting, of_benchmark
from harness.catalog.load import explain
from harness.errors import UsageError

SCHEMA = 2
"""Of the files written; those of schema 1 do not say in which setting their numbers were measured."""

_READ = (1, SCHEMA)

RELATIVE = 0.05
"""Default tolerance as a share of the mean: what another CPU or library version may move a small trial by."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Expected(_Record):
    """What one metric of one method should be."""

    benchmark: str
    version: int = Field(ge=1)
    method: str
    metric: str
    unit: str
    higher_is_better: bool
    mean: float | None
    """``None`` where the metric was not a number."""
    n: int = Field(ge=1)
    """Seeds."""
    tolerance: float = Field(ge=0)
    """How much worse, in the metric's unit, is no regression yet."""
    setting: str | None = None
    """Digest of what the number depends on besides the method; ``None`` in a file of schema 1."""
    device: str = ""
    """``cpu`` or ``cuda``."""
    overrides: list[str] = []
    """What ``--set`` changed."""
    measured_in: Setting | None = Field(default=None, exclude=True)
    """What is behind ``setting``, as the file says elsewhere."""

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.benchmark, self.version, self.method, self.metric


class Baseline(_Record):
    """The file ``harness baseline save`` writes."""

    schema_version: int = Field(alias="schema")
    harness: str = ""
    """Version of the harness that saved it."""
    settings: dict[str, dict[str, Any]] = {}
    """:attr:`Expected.setting` -> what is behind it."""
    entries: list[Expected]


def default_tolerance(row: Row, relative: float = RELATIVE) -> float:
    """How far the mean of another ``n`` seeds may fall: 2 s √(2/n), and no less than a share of the mean.

    Two means of n seeds differ with standard deviation s √(2/n).
    """
    if math.isnan(row.mean):
        return 0.0
    spread = 2 * (row.std or 0.0) * math.sqrt(2 / row.n)
    return max(spread, relative * abs(row.mean))


def expect(board: Board, *, relative: float = RELATIVE, tolerances: Mapping[str, float] | None = None) -> list[Expected]:
    """What a later run is held to: every metric of every method, without single scenes and classes.

    Of a benchmark in several settings, the registered one counts.

    Args:
        relative: share of the mean that is tolerated at least.
        tolerances: metric name -> absolute tolerance, in the metric's unit, instead of the default.
    """
    return [
        Expected(
            benchmark=row.benchmark,
            version=row.version,
            method=row.method,
            metric=row.metric,
            unit=row.unit,
            higher_is_better=row.higher_is_better,
            mean=row.mean if math.isfinite(row.mean) else None,
            n=row.n,
            tolerance=(tolerances or {}).get(row.metric, float(f"{default_tolerance(row, relative):.3g}")),
            setting=row.setting.digest,
            device=row.setting.device,
            overrides=list(row.overrides),
            measured_in=row.setting,
        )
        for rows in board.parted()[0]
        for row in rows
        if "/" not in row.metric
    ]


def dump(entries: list[Expected], harness: str) -> str:
    """The file's text: one setting and one entry a line, so that a change of the baseline reads well as a diff."""
    settings = {entry.setting: entry.measured_in.content for entry in entries if entry.setting and entry.measured_in}
    told = ",\n".join(f"  {json.dumps(digest)}: {json.dumps(content, ensure_ascii=False)}" for digest, content in settings.items())
    lines = ",\n".join("  " + json.dumps(entry.model_dump(), ensure_ascii=False) for entry in entries)
    head = f'"schema": {SCHEMA}, "harness": {json.dumps(harness)}'
    return f'{{{head}, "settings": {{\n{told}\n}}, "entries": [\n{lines}\n]}}\n'


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def load(file: Path) -> list[Expected]:
    """Read and validate a baseline.

    Raises:
        UsageError: missing, unreadable, not JSON, another schema, malformed or repeated entries.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise UsageError(f"cannot read the baseline {file}: {error.strerror}. `harness baseline save {file}` writes one.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the baseline {file} is not JSON: {error}. Restore it, or save it anew with `harness baseline save`.") from None
    if not isinstance(content, dict):
        raise UsageError(f"the baseline {file} is a mapping with the keys schema and entries; found {type(content).__name__}.")
    if content.get("schema") not in _READ:
        known = " and ".join(map(str, _READ))
        raise UsageError(
            f"the baseline {file} has schema {content.get('schema')!r}; this harness reads {known}. `harness baseline save` writes one."
        )
    try:
        found = Baseline.model_validate(content)
    except ValidationError as error:
        raise explain(error, (), {}, f"the baseline {file}") from None
    entries = [_told(entry, found.settings, file) for entry in found.entries]
    seen = set()
    for entry in entries:
        if entry.key in seen:
            raise UsageError(
                f"the baseline {file} holds {entry.metric} of '{entry.method}' on {entry.benchmark} v{entry.version} twice. Delete one."
            )
        seen.add(entry.key)
    return entries


def _told(entry: Expected, settings: Mapping[str, dict[str, Any]], file: Path) -> Expected:
    """The entry with what is behind its setting."""
    if entry.setting is None:
        return entry
    if entry.setting not in settings:
        raise UsageError(
            f"the baseline {file}: {entry.metric} of '{entry.method}' on {entry.benchmark} was measured in the setting {entry.setting}, "
            "which `settings` does not have. Restore the file, or save it anew with `harness baseline save`."
        )
    setting = Setting(entry.setting, entry.device, of_benchmark(tuple(entry.overrides)), settings[entry.setting])
    return entry.model_copy(update={"measured_in": setting})
