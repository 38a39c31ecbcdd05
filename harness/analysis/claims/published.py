"""Numbers that papers print (``results/published.csv``), shown beside what was measured here and never mixed with it."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import paths
from harness.analysis.numbers import NOTHING, limits
from harness.analysis.numbers import number as in_unit
from harness.analysis.tables import commented, csv_table, latex_table, markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.analysis.board import Board, Row
    from harness.catalog import Catalog, Claim
    from harness.catalog.claims import Printed, Published, Where


@dataclass(frozen=True)
class Number:
    """One row of the file; a text is empty where the source does not say."""

    line: int
    """In the file."""
    table_title: str
    method_id: str
    """Of this harness where it has the method, or else a name of the file's own."""
    dataset: str
    split_or_scene: str
    backbone: str
    setting: str
    metric: str
    """In the paper's words."""
    value: float | None
    """``None`` where the source says ``+3%`` or ``~1.0``."""
    unit: str
    higher_is_better: bool | None

    def stands_in(self, where: Where) -> bool:
        """Whether its columns are these; one that ends in ``…`` gives the beginning."""
        return all(_fits(getattr(self, column), text) for column, text in where.items())

    @property
    def place(self) -> str:
        """Where it stands, in a line."""
        return ", ".join(part for part in (self.dataset, self.split_or_scene, self.backbone, self.setting) if part)


def _fits(text: str, wanted: str) -> bool:
    return text.startswith(wanted[:-1]) if wanted.endswith("…") else text == wanted


def _plain(text: str) -> str:
    """The file calls what it was transcribed from a seed or a slide."""
    return re.sub(r"\b(?:on slide|in (?:the )?seed(?: text)?)\b", "in the source", text)


def _value(text: str) -> float | None:
    if text[:1] in "+~" or text.endswith("%"):
        return None
    return float(text)


@cache
def load(file: Path | None = None) -> tuple[Number, ...]:
    """All rows of the file that is shipped, or of another one of its columns."""
    with (file or paths.home() / "results" / "published.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(
            Number(
                line,
                table_title=_plain(row["table_title"]),
                method_id=row["method_id"],
                dataset=_plain(row["dataset"]),
                split_or_scene=_plain(row["split_or_scene"]),
                backbone=_plain(row["backbone"]),
                setting=_plain(row["setting"]),
                metric=row["metric"],
                value=_value(row["value"]),
                unit=row["unit"],
                higher_is_better={"true": True, "false": False}.get(row["higher_is_better"]),
            )
            for line, row in enumerate(csv.DictReader(stream), 2)
        )


def sides(claim: Claim, printed: Printed, numbers: Sequence[Number]) -> list[list[Number]]:
    """The rows that hold each of the two printed values; empty where the file does not have them."""
    ids = printed.rows or claim.methods
    return [
        [number for number in numbers if number.method_id == method and number.value == value and number.stands_in(printed.where)]
        for method, value in zip(ids, printed.values, strict=False)
    ]


@dataclass(frozen=True)
class Beside:
    """A published number of a benchmark's metric, and what was measured of the same method, if anything."""

    benchmark: str
    method: str
    metric: str
    published: Number
    differs: str
    """How the published setting differs from the benchmark's."""
    measured: Row | None

    def plain(self) -> dict[str, Any]:
        """What docs/json.md names."""
        row, number = self.measured, self.published
        return {
            "benchmark": self.benchmark,
            "method": self.method,
            "metric": self.metric,
            "unit": number.unit,
            "published": number.value,
            "table": number.table_title,
            "where": number.place,
            "differs": self.differs,
            "mean": row.mean if row else None,
            "ci95": row.ci95 if row else None,
            "n": row.n if row else 0,
        }


def beside(catalog: Catalog, board: Board, numbers: Iterable[Number], benchmarks: Iterable[str] | None = None) -> list[Beside]:
    """Published numbers of paper-tier benchmarks, in the registry's order, with the rows of each benchmark's first block."""
    ours = {(row.benchmark, row.method, row.metric): row for rows in board.parted()[0] for row in rows}
    wanted = {*catalog.published} if benchmarks is None else {*benchmarks}
    found: dict[tuple[str, str, str, float | None], Beside] = {}
    numbers = [number for number in numbers if number.value is not None]
    for name, entry in catalog.published.items():
        if name in wanted:
            for method, metric, number in _of(entry, numbers, catalog.methods):
                key = (name, method, metric, number.value)  # a table that repeats another's number adds nothing
                found.setdefault(key, Beside(name, method, metric, number, entry.differs, ours.get((name, method, metric))))
    return list(found.values())


def _of(entry: Published, numbers: Sequence[Number], methods: Mapping[str, object]) -> Iterable[tuple[str, str, Number]]:
    for match in entry.rows:
        for number in numbers:
            method = entry.methods.get(number.method_id, number.method_id)
            if method in methods and number.stands_in(match.where):
                yield method, match.metric, number


def _measured(row: Row) -> str:
    """The interval by its ends: that of a percentage is not as far to both sides of the mean."""
    return in_unit(row.mean, row.unit) + (f" ({limits(row.ci95, row.unit)})" if row.ci95 else "")


HEADER = ["benchmark", "method", "metric", "measured here", "n", "published", "where", "differs"]


def cells(rows: Iterable[Beside]) -> list[list[str]]:
    """The rows as text, with :data:`HEADER`."""
    return [
        [
            row.benchmark,
            row.method,
            row.metric,
            _measured(row.measured) if row.measured else NOTHING,
            str(row.measured.n) if row.measured else "0",
            f"{row.published.value:g} {row.published.unit}".strip(),
            f"{row.published.table_title}: {row.published.place}",
            row.differs,
        ]
        for row in rows
    ]


def written(rows: Iterable[Beside], form: str) -> str:
    """The rows as ``csv``, ``md`` or ``latex``."""
    body = cells(rows)
    if form == "latex":
        return commented("published numbers", latex_table(HEADER, body))
    return {"csv": csv_table, "md": markdown_table}[form](HEADER, body)
