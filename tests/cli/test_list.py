"""``harness list``."""

from __future__ import annotations

import importlib
import json
import re

import pytest

from harness.catalog.plugins import discover
from harness.catalog.verify import verdicts


def rows(result):
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema"] == 1
    return document["rows"]


def test_methods(cli):
    found = {row["id"]: row for row in rows(cli("list", "methods", "--json"))}
    assert {"id", "title", "paper", "slots", "state"} <= set(found["gap"])
    assert found["simpool"]["slots"] == ["pooling"] and found["simpool"]["paper"]["venue"] == "ICCV 2023"
    assert {row["state"] for row in found.values()} == {"works", "wraps", "planned"}


def test_methods_of_a_family_fit_its_slots(cli):
    assert {"gap", "simpool"} <= {row["id"] for row in rows(cli("list", "methods", "--family", "classification", "--json"))}
    assert "gap" not in {row["id"] for row in rows(cli("list", "methods", "--family", "camera-localization", "--json"))}


def test_benchmarks_and_suites(cli):
    found = {row["id"]: row for row in rows(cli("list", "benchmarks", "--json"))}
    row = found["scenes-classification"]
    assert (row["family"], row["tier"], row["primary"], row["error"]) == ("classification", "synthetic", "top1", None)
    assert {"quick"} <= {row["id"] for row in rows(cli("list", "suites", "--json"))}


@pytest.mark.parametrize("what", ["methods", "benchmarks", "suites"])
def test_tables_fit_the_terminal(cli, terminal, what):
    result = cli("list", what)
    assert result.exit_code == 0 and max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize("what", ["methods", "benchmarks", "suites", "plugins"])
def test_tables_fit_a_narrow_terminal(cli, monkeypatch, what):
    monkeypatch.setattr("harness.cli.output.terminal_width", lambda: 80)
    lines = cli("list", what).stdout.splitlines()
    assert len(lines) > 4 and max(map(len, lines)) <= 80
    if what == "benchmarks":  # a row and its title, which a column beside the others would leave twelve letters of a line
        assert lines[2].startswith("scenes-classification ")
        assert lines[3] == "    Cluttered scenes, label by one small object"


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


def test_a_list_is_found_anew_when_what_it_came_from_changes(cli, tmp_path):
    def names(what):
        return {row.get("id") or row["name"] for row in rows(cli("list", what, "--json"))}

    registry, folder = tmp_path / "registry.yaml", tmp_path / "plugins"
    before = names("methods")
    assert names("methods") == before and "mine" not in before
    registry.write_text("methods:\n  mine: {title: Mine, slots: {pooling: {plugin: gap}}, kind: method}\n")
    assert names("methods") == before | {"mine"}
    registry.write_text("methods:\n  yours: {title: Yours, slots: {pooling: {plugin: gap}}, kind: method}\n")
    assert names("methods") == before | {"yours"}
    folder.mkdir()
    (folder / "own.py").write_text("@attention_method('own', slot='masking')\ndef f(a): ...\n")
    assert names("methods") == before | {"yours", "own"}
    (folder / "own.py").unlink()
    registry.write_text("methods: [")
    assert cli("list", "methods").exit_code == 2
    registry.unlink()
    assert names("methods") == before


def test_a_remembered_list_is_the_list(cli, tmp_path, monkeypatch):
    """Text and JSON, and asked for twice, are the same; a store that is damaged or no folder costs nothing but time."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for question in (("methods",), ("benchmarks", "--json"), ("suites", "--family", "keypoint")):
        first, second = cli("list", *question), cli("list", *question)
        assert first.exit_code == 0 and first.output == second.output
    remembered = [*(tmp_path / "cache" / "lists").iterdir()]
    assert len(remembered) == 3
    for file, damage in zip(remembered, ("{", "[1]", '{"state": 1}'), strict=True):
        file.write_text(damage)
    assert cli("list", "suites", "--family", "keypoint").output == second.output
    monkeypatch.setenv("HARNESS_CACHE", "/dev/null")
    assert cli("list", "suites", "--family", "keypoint").output == second.output


def test_a_plugin_whose_import_failed_is_imported_again(cli, tmp_path, monkeypatch):
    """What was missing may be there now, though the plugin file is as it was."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    file = tmp_path / "plugins" / "own.py"
    file.parent.mkdir()
    file.write_text(
        "import helper_of_mine\nfrom harness.slots import attention_method\n\n@attention_method('mine', slot='masking')\ndef f(a): ...\n"
    )
    files = [plugin for plugin in discover(with_shipped=False) if plugin.path.name == file.name]
    [reason] = verdicts(files).values()
    assert "No module named 'helper_of_mine'" in reason
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "helper_of_mine.py").write_text("")
    assert [*verdicts(files).values()] == [None]


def test_a_list_of_plugins_follows_entry_points_and_what_they_import(cli, tmp_path, monkeypatch):
    def found(name):
        importlib.invalidate_caches()
        return {row["name"]: row for row in rows(cli("list", "plugins", "--json"))}.get(name)

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.syspath_prepend(tmp_path / "path")
    package, points = tmp_path / "path" / "listed_package", tmp_path / "path" / "listed-1.0.dist-info" / "entry_points.txt"
    for folder in (package, points.parent):
        folder.mkdir(parents=True)
    for name in ("one", "two"):
        text = (
            "from . import helper\nfrom harness.slots import attention_method\n\n@attention_method('{}', slot='masking')\ndef f(a): ...\n"
        )
        (package / f"{name}.py").write_text(text.format(name))
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("")
    (points.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: listed\nVersion: 1.0\n")
    points.write_text("[harness.plugins]\nit = listed_package.one\n")
    assert found("one")["state"] == found("one")["state"] == "works"
    (package / "helper.py").write_text("1 / 0")
    assert found("one")["error"] == "ZeroDivisionError: division by zero"
    (package / "helper.py").write_text("")
    assert found("one")["state"] == found("one")["state"] == "works" and found("two") is None
    points.write_text("[harness.plugins]\nit = listed_package.two\n")  # in place: no folder's time changes
    assert found("two")["state"] == "works" and found("one") is None
    (package / "two.py").write_text((package / "two.py").read_text().replace("'two'", "'gap'"))
    for what in ("methods", "plugins"):
        result = cli("list", what)
        assert result.exit_code == 2 and "plugin 'gap' is defined in" in result.stderr and "listed_package" in result.stderr


def test_resolution_comes_from_results(cli, terminal, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 75.0, 78.0)
    measured("gap", 70.0, on="digits")
    rows = {row["benchmark"]: row for row in json.loads(cli("list", "benchmarks", "--resolution", "--json").stdout)["rows"]}
    assert len(rows) > 20 and rows["digits"]["resolution"] is None
    found = rows["scenes-classification"]
    assert (found["methods"], found["seeds"], found["range"], found["unit"]) == (2, 2, 5.5, "%")
    assert list(found["resolution"]) == ["2", "3", "5", "10"] and sorted(found["resolution"].values(), reverse=True) == [
        *found["resolution"].values()
    ]
    board = json.loads(cli("leaderboard", "--format", "json").stdout)["standings"]
    assert [standing["resolution"] for standing in board] == [found["resolution"]], "the same number everywhere"
    text = " ".join(cli("list", "benchmarks", "--resolution", "--family", "classification").stdout.split())
    assert "scenes-classification" in text and "rooms" not in text
    assert re.search(
        r"Fewer than two methods with 2 seeds, or all seeds alike: digits, cifar10, (\S+, ){2}\S+ and \d+ more\. `harness run",
        text,
    )
