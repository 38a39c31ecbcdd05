"""The baseline as a file: read back, of earlier schemas, and malformed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.analysis.gate.file import dump, load
from harness.analysis.gate.saving import expect
from harness.errors import UsageError

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = {"here": {"cpu": "one", "device": "cpu", "packages": {"torch": "2"}}}
VALUES = {"gap": [(80.0, 1.0), (81.0, math.nan), (82.0, 0.9)], "gem": [(90.0, 1.0), (91.0, 1.001), (92.0, 1.002)]}


@pytest.fixture
def baseline(measure):
    measured = measure(VALUES)
    return expect(measured.board, measured.results, ENVIRONMENTS, tolerances={"top1": 2.0})[0]


@pytest.fixture
def file(baseline, tmp_path):
    file = tmp_path / "b.json"
    file.write_text(dump(baseline, "0.1"))
    return file


def test_file_reads_back(baseline, file):
    found = load(file)
    assert found == baseline and {key[2:] for key in found.left_out} == {("gap", "error")}
    (machine,) = found.machines.values()
    assert {name: value for name, value in machine.items() if value} == {"device": "cpu", "cpu": "one", "packages": {"torch": "2"}}
    assert found.costs["scenes", 1, "gap"]["latency_ms"] == (4.0, 5.0, 6.0)
    assert json.loads(file.read_text())["schema"] == 3


def test_each_number_has_a_line_of_its_own(file):
    lines = [line for line in file.read_text().splitlines() if '"values"' in line]
    assert len(lines) == 3 and all(json.loads(line.strip().rstrip(",")) for line in lines)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["cells"][0]["metrics"][0]["values"].pop(), "2 values for 3 seeds"),
        (lambda d: d["cells"].append(d["cells"][0]), "twice"),
        (lambda d: d["settings"].clear(), "which `settings` does not have"),
        (lambda d: d.update(schema=4), "this harness reads 1, 2, 3"),
        (lambda d: d.update(schema=True), "has schema True"),
        (lambda d: d["cells"][0].update(n=9), "fewer than the n = 9"),
        (lambda d: d["cells"][0]["metrics"][0].update(tolerance=-1), "tolerance"),
        (lambda d: d["cells"][0].pop("seeds"), "seeds"),
        (lambda d: d["cells"][0]["costs"].update(params=[0.0, 1.0, 1.0]), "greater than 0"),
        (lambda d: d["cells"][0]["costs"].update(params=[1.0]), "the cost params"),
        (lambda d: d["cells"][0]["costs"].update(colour=[1.0, 1.0, 1.0]), "the cost colour"),
        (lambda d: next(iter(d["machines"].values())).update(packages=["torch"]), "packages"),
    ],
)
def test_what_is_malformed_is_named(file, change, said):
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=said):
        load(file)


def test_a_file_of_means_is_read(tmp_path):
    row = {
        "benchmark": "scenes",
        "version": 1,
        "method": "gap",
        "metric": "top1",
        "unit": "%",
        "higher_is_better": True,
        "mean": 80.0,
        "n": 2,
    }
    entries = [row | {"tolerance": 4.0, "setting": "s", "device": "cpu", "overrides": []}]
    old = {"schema": 2, "harness": "0.2.0", "settings": {"s": {"dataset": "d"}}, "entries": entries}
    (tmp_path / "b.json").write_text(json.dumps(old))
    (found,) = load(tmp_path / "b.json").entries
    assert (found.mean, found.tolerance, found.values, found.measured_in.content) == (80.0, 4.0, (), {"dataset": "d"})


def test_the_baseline_of_the_quick_suite_is_read():
    assert len(load(ROOT / "results/baselines/quick.json").entries) > 50
