"""The main job from the command line: run, fail, resume, read, hold against a baseline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REGISTRY = (Path(__file__).parents[1] / "tiny.yaml").read_text()

PLUGIN = """
import torch
from harness.slots import attention_method


@attention_method("mean-plus-max", slot="pooling")
class MeanPlusMax(torch.nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.weight * x.mean((2, 3)) + (1 - self.weight) * x.amax((2, 3))


@attention_method("refuses", slot="pooling")
class Refuses(torch.nn.Module):
    def __init__(self, channels: int):
        super().__init__()

    def forward(self, x):
        raise RuntimeError("refuses to pool")
"""

RUN = ["run", "-b", "tiny", "-m", "gap", "-m", "mean-plus-max", "-m", "refuses", "--plugin", "mine.py", "--device", "cpu"]

CALL = """
import json, sys
from harness.cli import main
try:
    main(sys.argv[1:], prog_name="harness")
except SystemExit as end:
    code = end.code
print(json.dumps(sorted({"torch", "mmengine", "mmseg", "pandas"} & set(sys.modules))), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "registry.yaml").write_text(REGISTRY)
    (folder / "mine.py").write_text(PLUGIN)
    return folder


def harness(folder, *args: str) -> subprocess.CompletedProcess:
    """Call the command line in a process of its own; the last line of stderr is what heavy things it imported."""
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache"), "COLUMNS": "100"}
    return subprocess.run([sys.executable, "-c", CALL, *args], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def first(folder):
    return harness(folder, *RUN)


def test_what_fails_is_said_and_costs_nothing_else(first):
    assert first.returncode == 3, first.stderr
    assert "Traceback" not in first.stderr
    assert "refuses to pool" in first.stderr and "log.txt" in first.stderr and "--retry-failed" in first.stderr
    assert all(word in first.stdout for word in ("gap", "mean-plus-max", "floor"))


def test_what_is_done_is_not_repeated_and_imports_no_torch(folder, first):
    done = RUN[:7] + RUN[9:]
    again = harness(folder, *done)
    assert again.returncode == 0, again.stderr
    assert "2 of 2 trials are done (2 were before)" in again.stderr
    assert json.loads(again.stderr.splitlines()[-1]) == []
    assert first.stdout == harness(folder, "leaderboard").stdout
    # of what is run again the failed method is no part: the same rows, in columns of other widths
    cells = [[line.split() for line in told.splitlines()] for told in (again.stdout, first.stdout)]
    assert cells[0][2:4] == cells[1][2:4] and cells[0][4][:2] == cells[1][4][:2] == ["floor", cells[0][4][1]]
    assert "over the test samples of one seed" in first.stdout


def test_results_are_read_and_held_against_a_baseline(folder, first):
    rows = json.loads(harness(folder, "leaderboard", "--format", "json").stdout)["rows"]
    assert {row["method"] for row in rows} == {"gap", "mean-plus-max"}
    assert all(row["n"] == 1 and (row["ci95"] is None) == (row["interval"] is None) and row["params"] > 0 for row in rows)
    assert all(row["floor"] is not None for row in rows if row["metric"] == "top1")
    status = json.loads(harness(folder, "status", "--json").stdout)
    assert (status["counts"]["done"], status["counts"]["failed"]) == (2, 1)
    assert harness(folder, "baseline", "save", "b.json", "--tolerance", "top1=1").returncode == 0
    assert harness(folder, "check", "--baseline", "b.json").returncode == 0
