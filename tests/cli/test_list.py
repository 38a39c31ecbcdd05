"""``harness list``."""

from __future__ import annotations

import json

import pytest


def rows(result):
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema"] == 1
    return document["rows"]


def test_methods(cli):
    found = {row["id"]: row for row in rows(cli("list", "methods", "--json"))}
    assert {"id", "title", "paper", "slots", "state"} <= set(found["gap"])
    assert found["simpool"]["slots"] == ["pooling"] and found["simpool"]["paper"]["venue"] == "ICCV 2023"
    assert {row["state"] for row in found.values()} <= {"works", "wraps", "planned"}


def test_methods_of_a_family_fit_its_slots(cli):
    assert {"gap", "simpool"} <= {row["id"] for row in rows(cli("list", "methods", "--family", "classification", "--json"))}
    assert "gap" not in {row["id"] for row in rows(cli("list", "methods", "--family", "camera-localization", "--json"))}


def test_benchmarks_and_suites(cli):
    found = {row["id"]: row for row in rows(cli("list", "benchmarks", "--json"))}
    row = found["scenes-classification"]
    assert (row["family"], row["tier"], row["primary"], row["error"]) == ("classification", "synthetic", "top1", None)
    assert {"quick"} <= {row["id"] for row in rows(cli("list", "suites", "--json"))}


@pytest.mark.parametrize("what", ["methods", "benchmarks", "suites"])
def test_tables_fit_100_columns(cli, what):
    result = cli("list", what)
    assert result.exit_code == 0 and max(map(len, result.stdout.splitlines())) <= 100


def test_a_malformed_benchmark_spoils_no_other(cli, tmp_path):
    (tmp_path / "registry.yaml").write_text("benchmarks:\n  bad: {family: keypoint, data: {format: nope}}\n")
    found = {row["id"]: row for row in rows(cli("list", "benchmarks", "--json"))}
    assert "unknown data.format 'nope'" in found["bad"]["error"] and found["scenes-classification"]["error"] is None


def test_plugins_show_where_they_come_from_and_what_is_broken(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.catalog.verify._in_child", lambda files: dict.fromkeys(file.path for file in files))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.py").write_text("def (")
    (tmp_path / "mine.py").write_text("@attention_method('mine', slot='masking')\ndef f(a): ...\n")
    result = cli("list", "plugins", "--plugin", "mine.py", "--json")
    found = {row["name"]: row for row in rows(result)}
    assert (found["gap"]["origin"], found["gap"]["slot"], found["gap"]["state"]) == ("shipped", "pooling", "works")
    assert (found["mine"]["origin"], found["mine"]["state"]) == ("--plugin", "works")
    assert found["broken"]["state"] == "broken" and "SyntaxError" in found["broken"]["error"]
    assert "importing" in result.stderr and cli("list", "plugins").exit_code == 0
