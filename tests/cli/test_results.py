"""The verbs that read results: leaderboard, status, compare, baseline, check and db."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from harness.analysis.diagnostics import JSON_FIELDS as DIAGNOSTIC_FIELDS
from harness.analysis.leaderboard import JSON_FIELDS


def test_leaderboard(cli, terminal, measured):
    measured("gap", 70.0, 72.0)
    measured("simpool", 80.0, 84.0)
    result = cli("leaderboard", "--format", "json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0 and document["schema"] == 1
    assert [list(row) for row in document["rows"]] == [JSON_FIELDS] * 4
    assert [(row["method"], row["metric"], row["mean"], row["n"]) for row in document["rows"]] == [
        ("simpool", "top1", 82.0, 2), ("simpool", "top5", 90.0, 2), ("gap", "top1", 71.0, 2), ("gap", "top5", 90.0, 2),
    ]  # fmt: skip
    assert document["rows"][0]["floor"] == 16.7 and document["rows"][1]["floor"] is None
    table = cli("leaderboard", "-b", "scenes-classification")
    assert table.exit_code == 0 and max(map(len, table.stdout.splitlines())) <= 100 and "82.0 ± 25.4" in table.stdout
    for form in ("csv", "md", "latex"):
        assert "simpool" in cli("leaderboard", "--format", form).stdout
    assert json.loads(cli("leaderboard", "--family", "keypoint", "--format", "json").stdout)["rows"] == []


def test_an_empty_database_is_no_error(cli):
    assert json.loads(cli("leaderboard", "--format", "json").stdout) == {"schema": 1, "rows": []}
    assert "harness run" in cli("leaderboard").stderr
    assert json.loads(cli("status", "--json").stdout)["rows"] == []
    assert cli("status").exit_code == 0
    assert cli("baseline", "save", "b.json").exit_code == 4
    assert cli("compare", "gap", "gem").exit_code == 4


def test_status_gives_reasons_and_logs(cli, measured):
    done, failed = measured("gap", 70.0, None)
    text = cli("status").stdout
    assert "the loss is not a number in epoch 2" in text and "log.txt" in text
    document = json.loads(cli("status", "--json").stdout)
    assert document["counts"] == {"planned": 0, "running": 0, "interrupted": 0, "done": 1, "failed": 1}
    trial = json.loads(cli("status", done[:6], "--json").stdout)["trial"]
    assert (trial["digest"], trial["metrics"]["top1"], trial["cost"]["params"]) == (done, 70.0, 700_000)
    assert (trial["labels"], "labels  map class activation" in cli("status", done).stdout) == ({"map": "class activation"}, True)
    one = cli("status", failed)
    assert one.exit_code == 0 and "epoch 2" in one.stdout


def test_compare(cli, measured):
    measured("gap", 70.0, 72.0, 71.0)
    measured("simpool", 80.1, 82.0, 81.0)
    row = json.loads(cli("compare", "simpool", "gap", "--json").stdout)["rows"][0]
    assert row["difference"] == pytest.approx(10.03, abs=0.01) and row["verdict"] == "a" and row["n"] == 3
    shown = cli("compare", "simpool", "gap").stdout
    assert "a  simpool\nb  gap\n" in shown and "a is better" in shown
    assert cli("compare", "simpol", "gap").exit_code == 2


def test_diagnostics_are_shown(cli, terminal, measured):
    trial, *_ = measured("gap", 70.0, 72.0)
    measured("simpool", 80.0, 84.0)
    document = json.loads(cli("leaderboard", "--diagnostics", "--format", "json").stdout)
    assert [list(row) for row in document["rows"]] == [list(DIAGNOSTIC_FIELDS)] * 6
    assert [(row["method"], row["layer"], row["head"], row["mean"]) for row in document["rows"]][:3] == [
        ("simpool", None, None, pytest.approx(0.82)), ("simpool", "neck", None, pytest.approx(0.82)), ("simpool", "neck", 1, 0.5),
    ]  # fmt: skip
    table = cli("leaderboard", "--diagnostics").stdout
    assert "0.820 ± 0.254" in table and max(map(len, table.splitlines())) <= 100
    for form in ("csv", "md", "latex"):
        assert "entropy" in cli("leaderboard", "--diagnostics", "--format", form).stdout
    empty = cli("leaderboard", "--diagnostics", "--family", "keypoint")
    assert empty.exit_code == 0 and "no results for keypoint yet" in empty.stderr
    (difference,) = json.loads(cli("compare", "simpool", "gap", "--json").stdout)["diagnostics"]
    assert (difference["measure"], difference["n"]) == ("entropy", 2) and difference["difference"] == pytest.approx(0.11)
    assert "entropy" in cli("compare", "simpool", "gap").stdout
    assert "head 1" not in cli("status", trial).stdout and "0.700" in cli("status", trial).stdout
    assert "head 1" in cli("status", trial, "--layers").stdout


def test_compare_needs_two_seeds_for_a_verdict(cli, measured):
    measured("gap", 70.0, 72.0)
    measured("simpool", 80.1)
    row = json.loads(cli("compare", "simpool", "gap", "--json").stdout)["rows"][0]
    assert (row["verdict"], row["p"], row["n"], row["b"]) == ("too few seeds", None, 1, 70.0)


def test_check_has_five_exit_codes(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    assert cli("baseline", "save", "sub/b.json", "--tolerance", "top1=1").exit_code == 0
    check = ("check", "--baseline", "sub/b.json")
    assert cli(*check).exit_code == 0

    entries = json.loads((tmp_path / "sub/b.json").read_text())
    top1 = next(entry for entry in entries["entries"] if entry["metric"] == "top1")
    top1["mean"] = 72.5
    (tmp_path / "high.json").write_text(json.dumps(entries))
    worse = cli("check", "--baseline", "high.json", "--junit", "out/j.xml", "--markdown", "out/m.md", "--json")
    document = json.loads(worse.stdout)
    assert worse.exit_code == document["exit_code"] == 1 and document["verdict"] == "regression"
    assert ElementTree.parse(tmp_path / "out/j.xml").getroot().get("failures") == "1"
    assert "| worse |" in (tmp_path / "out/m.md").read_text()
    assert "regression: 1 ok, 1 worse" in cli("check", "--baseline", "high.json").stdout

    assert cli("check", "--baseline", "none.json").exit_code == 2
    measured("gap", 70.0, 72.0, None)
    failed = cli(*check)
    assert failed.exit_code == 3 and "epoch 2" in failed.stdout
    (tmp_path / "empty.json").write_text('{"schema": 1, "entries": []}')
    assert cli("check", "--baseline", "empty.json").exit_code == 4


def test_database_travels(cli, measured):
    measured("gap", 70.0, 72.0)
    assert cli("db", "export", "all.jsonl").exit_code == 0
    other = ("--db", "sqlite:///other/harness.db")
    assert "2 trials added, 0 were there" in cli("db", "import", "all.jsonl", *other).stdout
    assert "0 trials added, 2 were there" in cli("db", "import", "all.jsonl", *other).stdout
    assert cli("leaderboard", "--format", "csv", *other).stdout == cli("leaderboard", "--format", "csv").stdout
    assert "schema" in cli("db", "current", *other).stdout
    assert "empty" in cli("db", "current", "--db", "sqlite:///none.db").stdout
    assert cli("db", "upgrade", "--db", "sqlite:///none.db").exit_code == 0


def test_run_lists_what_is_done(cli, measured, monkeypatch):
    monkeypatch.setattr("harness.data.fingerprint", lambda bench, root: "data")
    measured("gap", 70.0)
    result = cli("run", "-m", "gap", "-b", "scenes-classification", "--seeds", "2", "--dry-run")
    assert result.exit_code == 0 and "2 trials, 1 done" in result.stdout
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:3]] == ["done", "planned"]
