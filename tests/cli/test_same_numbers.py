"""A row shows the same numbers on the command line, in Markdown, LaTeX, CSV and the dashboard."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import pytest

from harness.analysis import source
from harness.analysis.board import Board
from harness.analysis.numbers import digits, limits, number

UNITS = {"percent": "%", "metre": "m", "sign": "°", "degree": "deg", "pixel": "px", "none": ""}
MEANS = {
    "nan": math.nan, "inf": math.inf, "minus-inf": -math.inf, "zero": 0.0, "minus-zero": -0.0, "tiny": 1e-9, "minus-tiny": -1e-9,
    "huge": 1e12, "negative": -71.04, "plain": 71.0,
}  # fmt: skip
HALVES = {"alone": None, "zero": 0.0, "tiny": 1e-9, "wide": 12.706, "huge": 1e12, "inf": math.inf}


@pytest.fixture
def rows(measured, tmp_path, monkeypatch):
    """A benchmark for every unit, a method for every mean and half-width; each floor is the mean."""
    measured("gap", 70.0, 72.0)
    made = next(row for row in source.board(f"sqlite:///{tmp_path}/results/harness.db").rows if row.primary)
    rows = [
        replace(made, benchmark=name, unit=unit, method=f"{kind}-{spread}", mean=mean, floor=mean,
                ci95=None if half is None else (mean - half, mean + half))
        for name, unit in UNITS.items() for kind, mean in MEANS.items() for spread, half in HALVES.items()
    ]  # fmt: skip
    monkeypatch.setattr(source, "board", lambda *_, **__: Board(rows))
    return rows


def cells(text: str, separator: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(separator) if cell.strip()] for line in text.splitlines()]


def bounds(row: dict[str, str]) -> tuple[float, float] | None:
    return (float(row["ci95_low"]), float(row["ci95_high"])) if row["ci95_low"] else None


def test_the_same_row_is_the_same_everywhere(cli, rows):
    names = {row.method for row in rows}
    printed = [line[1:4] for line in cells(cli("leaderboard").stdout, "  ") if line[1:2] and line[1] in names]
    markdown = [line[1:4] for line in cells(cli("leaderboard", "--format", "md").stdout, "|") if line[1:2] and line[1] in names]
    latex = [line[1:4] for line in cells(cli("leaderboard", "--format", "latex").stdout, " & ") if line[1:2] and line[1] in names]
    plain = [
        [row["method"], number(float(row["mean"]), row["unit"]), limits(bounds(row), row["unit"])]
        for row in csv.DictReader(io.StringIO(cli("leaderboard", "--format", "csv").stdout))
    ]
    assert len(printed) == len(rows) and printed[9 * 6 + 3] == ["plain-wide", "71.0", "58.3 to 83.7"]
    assert printed == markdown == latex == plain


def test_a_cell_of_the_dashboard_has_the_digits_of_the_command_line():
    """Its tables and charts hold numbers, and the format that the browser shows them in."""
    for unit in UNITS.values():
        for mean in filter(math.isfinite, MEANS.values()):
            told = number(mean, unit)
            for shown in (f"%{digits(unit)}" % mean, f"{mean:{digits(unit)}}"):
                assert shown == told or (float(told) == 0 and shown == f"-{told}"), "a browser's formats know no unsigned zero"


def test_the_same_floor_is_the_same_everywhere(cli, rows, monkeypatch):
    for row in rows:
        board = Board([row])
        monkeypatch.setattr(source, "board", lambda *_, board=board, **__: board)
        printed = next(line[1] for line in cells(cli("leaderboard").stdout, "  ") if line[:1] == ["floor"])
        markdown = next(line[1] for line in cells(cli("leaderboard", "--format", "md").stdout, "|") if line[:1] == ["floor"])
        assert printed == markdown == number(row.floor, row.unit)
