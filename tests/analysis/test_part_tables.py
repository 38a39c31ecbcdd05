"""Tables of single classes, scenes and joints: every number is the mean of what the trials say, the best of each line marked."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest
from click.testing import CliRunner

from harness.analysis import part_tables, source
from harness.cli import main
from harness.store import open_store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "rooms"):
        assert run("db", "import", str(ROOT / f"results/leaderboards/{name}.jsonl")).exit_code == 0
    return "sqlite:///results/harness.db"


def run(*words: str):
    return CliRunner().invoke(main, [*words], prog_name="harness")


def told(url: str, name: str) -> dict[tuple[str, str], dict[str, float]]:
    """(metric, part) -> method -> mean over its trials, one by one, without tuned ones."""
    values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in open_store(url).results(benchmarks=[name]):
        if result.tuning:
            continue
        for metric, value in result.metrics.items():
            if "/" in metric:
                stem, part = metric.split("/", 1)
                values[stem, part][result.method].append(value)
    return {key: {method: fmean(some) for method, some in methods.items()} for key, methods in values.items()}


def cells(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """The same of Markdown tables, those of tuned trials left out."""
    found, metric, header, tuned = {}, "", [], False
    for line in text.splitlines():
        if line.startswith("###"):
            metric, header = line.split(" · ")[1].split(" [")[0].replace("\\_", "_"), []
            tuned = "tuned with" in line
        elif not tuned and line.startswith("|") and "---" not in line:
            row = [cell.strip().replace("\\_", "_") for cell in line.strip("|").split(" | ")]
            if header and header[0] == "method":
                for part, cell in zip(header[1:], row[1:], strict=True):
                    found.setdefault((metric, part), {})[row[0]] = cell
            elif header:
                found[metric, row[0]] = dict(zip(header[1:], row[1:], strict=True))
            else:
                header = row
    return found


@pytest.mark.parametrize(("name", "lower"), [("digits", False), ("rooms", True)])
def test_every_number_is_a_mean_over_seeds(store, name, lower):
    shown, wanted = cells(run("leaderboard", "-b", name, "--per-class", "--format", "md").stdout), told(store, name)
    assert shown.keys() == wanted.keys() and len(shown) >= 9
    for key, methods in wanted.items():
        line = shown[key]
        floor = line.pop("floor", "")
        assert "*" not in floor and line.keys() == methods.keys()
        for method, mean in methods.items():
            digits = len(line[method].strip("*").partition(".")[2])
            assert float(line[method].strip("*")) == pytest.approx(mean, abs=0.5001 * 10**-digits)
        best = (min if lower and "median" in key[0] else max)(methods, key=methods.get)
        assert line[best].endswith("*") and {text.strip("*") for text in line.values() if text.endswith("*")} == {line[best].strip("*")}


@pytest.mark.parametrize("width", [100, 60])
@pytest.mark.parametrize("name", ["rooms", "digits"])
def test_what_has_no_room_follows_below(store, name, width):
    board = source.board(store, benchmarks=[name])
    wide, narrow = part_tables.table(board, None), part_tables.table(board, width)
    tables = [[line for line in text.splitlines() if " · " not in line][:-2] for text in (wide, narrow)]
    assert max(map(len, tables[1])) <= width
    for some in part_tables.parts(board):
        for number in {cell for line in some.body for cell in line[1:]}:
            assert all(text.split().count(number) >= sum(line[1:].count(number) for line in some.body) for text in (wide, narrow))
    assert part_tables.latex(board).count("toprule") == wide.count("is better") >= 1


def test_many_methods_are_lines_and_many_parts_are():
    few, many = [f"part-{number}" for number in range(4)], [f"method-{number}" for number in range(30)]
    body = [[part, *(f"{number}.{place}" for number in range(30))] for place, part in enumerate(few)]
    some = part_tables.Parts("heading", ["part", *many], body)
    assert some.turned().header == ["method", *few] and some.turned().body[7] == ["method-7", "7.0", "7.1", "7.2", "7.3"]
    assert [line for line in some.turned().body if line[0] == "method-29"] == [["method-29", "29.0", "29.1", "29.2", "29.3"]]


def test_json_has_them_in_any_case(store):
    plain, asked = (run("leaderboard", "-b", "digits", *words, "--format", "json").stdout for words in ((), ("--per-class",)))
    assert plain == asked and "top1/3" in plain


def test_of_a_benchmark_without_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("db", "import", str(ROOT / "results/leaderboards/scenes-localization.jsonl"))
    assert "no metric of single classes" in run("leaderboard", "-b", "scenes-localization", "--per-class").stderr
