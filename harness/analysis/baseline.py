"""A stored set of results that a regression check compares with, as a JSON file (docs/json.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.analysis.leaderboard import Board, Row
from harness.catalog.load import explain
from harness.errors import UsageError

SCHEMA = 1

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

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.benchmark, self.version, self.method, self.metric


class Baseline(_Record):
    """The file ``harness baseline save`` writes."""

    schema_version: int = Field(alias="schema")
    harness: str = ""
    """Version of the harness that saved it."""
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
        )
        for row in board.rows
        if "/" not in row.metric
    ]


def dump(entries: list[Expected], harness: str) -> str:
    """The file's text: one entry a line, so that a change of the baseline reads well as a diff."""
    lines = ",\n".join("  " + json.dumps(entry.model_dump(), ensure_ascii=False) for entry in entries)
    return f'{{"schema": {SCHEMA}, "harness": {json.dumps(harness)}, "entries": [\n{lines}\n]}}\n'


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
    if content.get("schema") != SCHEMA:
        raise UsageError(
            f"the baseline {file} has schema {content.get('schema')!r}; this harness reads {SCHEMA}. `harness baseline save` writes one."
        )
    try:
        entries = Baseline.model_validate(content).entries
    except ValidationError as error:
        raise explain(error, (), {}, f"the baseline {file}") from None
    seen = set()
    for entry in entries:
        if entry.key in seen:
            raise UsageError(
                f"the baseline {file} holds {entry.metric} of '{entry.method}' on {entry.benchmark} v{entry.version} twice. Delete one."
            )
        seen.add(entry.key)
    return entries
