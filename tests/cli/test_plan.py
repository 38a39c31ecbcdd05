"""What ``harness run`` refuses before it plans a trial."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness import paths
from harness.benchmarks import family, hosts


@pytest.mark.parametrize(
    ("method", "bench", "change"),
    [
        ("mspn-multi-scene-posenet", "rooms", "scenes=3"),
        ("mspn-multi-scene-posenet", "rooms", "channels=[8, 8]"),
        ("sigma-reparam", "rooms", "dim=8"),
        ("ocrnet", "scenes-segmentation", "num_classes=3"),
        ("gem", "scenes-classification", "channels=3"),
        ("mine", "scenes-classification", "channels=3"),  # what its constructor takes besides is not known
    ],
)
def test_what_the_harness_passes_cannot_be_set(cli, tmp_path, method, bench, change):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text("@attention_method('mine', slot='pooling')\nclass Mine(Other): ...\n")
    result = cli("run", "-m", method, "-b", bench, "--set", f"method.{change}", "--dry-run")
    name = change.split("=")[0]
    assert result.exit_code == 2 and f"the harness passes '{name}', so it cannot be set." in result.stderr, result.output


def test_a_method_without_a_host_is_said_to_wait_wherever_it_is_named(cli, tmp_path, monkeypatch):
    """Also one that is the user's own."""
    # every slot has its family by now: take one away
    monkeypatch.setattr(hosts, "family", lambda name: replace(family(name), slots=tuple({*family(name).slots} - {"masking"})))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text("@attention_method('mine', slot='masking')\nclass Mine(Other): ...\n")
    listed = {row["id"]: row for row in json.loads(cli("list", "methods", "--json").stdout)["rows"]}
    for method in ("attmask-high", "mine"):
        lacks = listed[method]["missing"]
        assert (listed[method]["state"], lacks) == ("waits", "a benchmark family with the slot masking")
        result = cli("run", "-m", method, "-b", "scenes-classification", "--dry-run")
        assert result.exit_code == 2 and f"method '{method}' (slot masking) fits no slot of 'scenes-classification'" in result.stderr
        assert f"It works, but nothing can run it yet: it waits for {lacks}." in result.stderr
    assert cli("run", "-m", "attmask-high", "-m", "gap", "-b", "scenes-classification", "--dry-run").exit_code == 0


def test_no_shipped_method_waits_for_a_host(cli):
    listed = json.loads(cli("list", "methods", "--json").stdout)["rows"]
    assert [row["id"] for row in listed if row["state"] == "waits"] == []
    assert "· waits" not in (paths.home() / "docs" / "methods.md").read_text(encoding="utf-8")


def test_what_a_method_takes_can_be_set(cli):
    result = cli("run", "-m", "mspn-multi-scene-posenet", "-b", "rooms", "--set", "method.hidden=64", "--dry-run")
    assert result.exit_code == 0, result.output
    assert cli("run", "-m", "simpool", "-b", "scenes-classification", "--set", "method.transformer=true", "--dry-run").exit_code == 0


def test_two_values_for_one_key_are_refused(cli):
    said = cli("run", "-b", "digits", "-m", "gap", "--set", "schedule.epochs=3", "--set", "schedule.epochs=5", "--dry-run")
    assert said.exit_code == 2 and "the second undoes the first" in said.stderr
