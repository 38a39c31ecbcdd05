"""``harness claims`` from the command line to the verdict."""

from __future__ import annotations

import json

import pytest

from harness.catalog import load_catalog

FIELDS = [
    "id", "tier", "source", "statement", "verdict", "family", "methods", "measure", "published", "differs", "reason", "tests",
]  # fmt: skip
TEST = [
    "benchmark", "version", "measure", "unit", "a", "b", "seeds", "difference", "ci95", "p", "adjusted", "notes", "verdict", "selected",
    "beaten", "missing",
]  # fmt: skip


def _rows(cli, *args):
    result = cli("claims", *args, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0 and document["schema"] == 1
    return document["rows"]


def test_an_empty_store_measures_nothing(cli):
    rows = _rows(cli)
    assert {row["verdict"] for row in rows} == {"not measured"} and {row["id"] for row in rows} == {*load_catalog().claims}
    assert all(list(row) == FIELDS and row["reason"] and not row["tests"] for row in rows)
    shown = cli("claims").stdout
    assert "reproduce no paper" in shown and "on synthetic data: " in shown and "attmask-low-under-random" in shown
    assert "masking" in cli("claims", "attmask-high-over-random").stdout


def test_verdicts_of_a_store(cli, terminal, measured, tmp_path):
    measured("gap", 70.0, 71.0, 70.5, 69.9)
    measured("simpool", 80.0, 81.0, 80.2, 80.4)
    measured("gem", 60.0, 60.4, 60.2, 61.0)
    verdicts = {row["id"]: row["verdict"] for row in _rows(cli, "--family", "classification") if row["tier"] == "synthetic"}
    assert (verdicts["simpool-over-gap"], verdicts["gem-over-gap"]) == ("agrees", "disagrees")
    assert verdicts["simpool-over-cls"] == "not measured"
    (test,) = next(row for row in _rows(cli, "simpool-over-gap") if row["tier"] == "synthetic")["tests"]
    assert list(test) == TEST
    assert (test["benchmark"], test["a"], test["b"], test["seeds"]) == ("scenes-classification", 80.4, 70.35, [4, 4])
    assert test["ci95"][0] < 10.05 < test["ci95"][1] and test["p"] < test["adjusted"] < 0.05, "corrected over all, though one is shown"
    published = _rows(cli, "simpool-over-gap")[0]["published"][0]
    assert (published["values"], published["difference"], published["unit"]) == ([57.1, 55.0], 2.1, "%")

    one = cli("claims", "gem-over-gap").stdout
    assert "on synthetic data: disagrees" in one and "reproduce no paper" in one and "55.9 against 55 %" in one
    table = cli("claims", "--family", "classification", "--markdown", "out/claims.md")
    assert table.exit_code == 0 and "2 in the direction of the claim, 1 against it" in table.stdout
    assert max(map(len, table.stdout.splitlines()[1:])) <= 100
    assert "| simpool-over-gap | +0.6 to +2.1 % | agrees: +10.1 %" in (tmp_path / "out/claims.md").read_text(encoding="utf-8")


def test_commands_for_what_is_missing_here(cli, measured):
    measured("gap", 70.0, 71.0)
    measured("simpool", 80.0, 81.0)
    lines = cli("claims", "--missing", "--family", "classification").stdout.splitlines()
    (scenes,) = [line for line in lines if "-b scenes-classification" in line]
    assert "-m cbam" in scenes and "--seeds 5" in scenes and not any("cifar10" in line for line in lines)
    assert "no data here for cifar10" in cli("claims", "--missing", "--family", "classification").stderr
    command = scenes.partition("#")[0].split()[1:]
    planned = cli(*command, "--dry-run")
    assert planned.exit_code == 0 and "trials" in planned.stdout, "the command that is printed is one that runs"


def test_verdicts_on_tuned_methods_say_so_wherever_they_are_written(cli, measured, tmp_path):
    measured("gap", 70.0, 71.0)
    measured("simpool", 80.0, 81.0)
    for flags, tuned in (((), False), (("--tuned",), True)):
        document = json.loads(cli("claims", *flags, "--json").stdout)
        assert document["tuned"] is tuned
        assert ({row["verdict"] for row in document["rows"]} == {"not measured"}) is tuned
        cli("claims", *flags, "--markdown", "claims.md")
        assert ("an interval is of the point that was chosen" in (tmp_path / "claims.md").read_text(encoding="utf-8")) is tuned
    refused = cli("claims", "--tuned", "--missing")
    assert refused.exit_code == 2 and "add --tune N" in refused.stderr


def test_an_unknown_claim_is_named(cli):
    result = cli("claims", "simpool-over-gep")
    assert result.exit_code == 2 and "'simpool-over-gap'" in result.stderr


def test_claims_are_listed(cli):
    rows = {row["id"]: row for row in json.loads(cli("list", "claims", "--json").stdout)["rows"]}
    assert {"scenes-classification", "digits", "cifar10", "imagenet-resnet50"} <= {*rows["simpool-over-gap"]["benchmarks"]}
    assert rows["attmask-high-over-random"]["benchmarks"] == ["scenes-pretraining", "cifar10-pretraining", "imagenet-20-pretraining"]
    assert "there is no family of benchmarks for video yet" in {row["missing"] for row in rows.values()}


@pytest.mark.parametrize("form", ["table", "json", "csv", "md", "latex"])
def test_published_numbers_stand_beside_ours(cli, form):
    result = cli("leaderboard", "--published", "-b", "cityscapes", "-b", "cityscapes-trainval", "--format", form)
    assert result.exit_code == 0 and "79.3" in result.stdout and "82" in result.stdout and "ADE20K" not in result.stdout
    none = cli("leaderboard", "--published", "-b", "digits")
    assert none.exit_code == 0 and "no published numbers" in none.stderr
