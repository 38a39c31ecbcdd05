"""The verbs that read results: leaderboard, status, compare, baseline, check and db."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.analysis.board_json import JSON_FIELDS
from harness.analysis.diagnostics import JSON_FIELDS as DIAGNOSTIC_FIELDS


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
    assert table.exit_code == 0 and max(map(len, table.stdout.splitlines())) <= 100 and " to " in table.stdout
    assert "56.6 to 100.0" in cli("leaderboard", "--interval", "t").stdout, "Student's, cut where a percentage ends"
    for form in ("csv", "md", "latex"):
        assert "simpool" in cli("leaderboard", "--format", form).stdout
    assert json.loads(cli("leaderboard", "--family", "keypoint", "--format", "json").stdout)["rows"] == []


def test_a_slot_is_compared_among_itself(cli, measured):
    measured("gap", 95.0, 95.5, 95.2)
    measured("gem", 96.1, 96.4, 96.2)
    measured("se", 70.0, 90.0, 80.0)
    measured("identity", 60.0, 99.0, 75.0)

    def rows(*only):
        rows = json.loads(cli("leaderboard", *only, "--format", "json").stdout)["rows"]
        return {row["method"]: row for row in rows if row["metric"] == "top1"}

    every, some = rows(), rows("--slot", "pooling")
    assert set(every) == {"gap", "gem", "se", "identity"} and set(some) == {name for name, row in every.items() if row["slot"] == "pooling"}
    assert some["gem"]["digests"] == every["gem"]["digests"] and some["gem"]["mean"] == every["gem"]["mean"]
    assert some["gem"]["ci95"] != every["gem"]["ci95"], "strength is borrowed, and letters are given, among these alone"
    assert "did you mean 'pooling'" in cli("leaderboard", "--slot", "poling").stderr.lower()
    assert "no results for relation yet" in cli("leaderboard", "--slot", "relation").stderr


def test_a_method_whose_trials_failed_is_on_the_board(cli, measured):
    measured("gap", 70.0, None, 72.0)
    measured("simpool", None, None, None)
    lines = [line.split() for line in cli("leaderboard").stdout.splitlines()]
    assert [line for line in lines if "simpool" in line] == [["-", "simpool", "failed", "0/3"]]
    assert any(line[1:3] == ["gap", "71.0"] and "2/3" in line for line in lines)
    document = cli("leaderboard", "--format", "json")
    assert [some["method"] for some in json.loads(document.stdout)["missing"]] == ["gap", "simpool"]
    assert "'simpool' 0 of 3 (3 failed: nan)" in document.stderr
    measured("gem", None, on="digits")
    assert "digits v2" in cli("leaderboard", "-b", "digits").stdout, "a benchmark on which nothing ended"


def test_an_empty_database_is_no_error(cli):
    assert json.loads(cli("leaderboard", "--format", "json").stdout) == {"schema": 1, "rows": []}
    assert "harness run" in cli("leaderboard").stderr
    assert json.loads(cli("status", "--json").stdout)["rows"] == []
    assert cli("status").exit_code == 0
    assert cli("baseline", "save", "b.json").exit_code == 4
    assert cli("compare", "gap", "gem").exit_code == 4


def test_status_gives_reasons_and_logs(cli, measured):
    done, failed = measured("gap", 70.0, None)
    assert "log" not in cli("status").stdout, "where no log is none is named"
    log = Path(f"results/trials/{failed}/log.txt")
    log.parent.mkdir(parents=True)
    log.touch()
    text = cli("status").stdout
    assert "the loss is not a number in epoch 2" in text and str(log.absolute()) in text
    document = json.loads(cli("status", "--json").stdout)
    assert document["counts"] == {"planned": 0, "running": 0, "interrupted": 0, "done": 1, "failed": 1}
    trial = json.loads(cli("status", done[:6], "--json").stdout)["trial"]
    assert (trial["digest"], trial["metrics"]["top1"], trial["cost"]["params"]) == (done, 70.0, 700_000)
    assert (trial["labels"], "labels  map class activation" in cli("status", done).stdout) == ({"map": "class activation"}, True)
    one = cli("status", failed)
    assert one.exit_code == 0 and "epoch 2" in one.stdout and "learning curve" not in one.stdout
    assert trial["curves"] == {"loss": [[1, 1.5], [2, 0.25]], "val/top1": [[2, 69.0], [4, None]]}
    curve = cli("status", done).stdout.partition("learning curve\n")[2].splitlines()
    assert [line.split() for line in curve[:3]] == [["epoch", "2", "4"], ["loss", "0.25", "-"], ["val/top1", "69", "-"]]
    names = {row["metric"] for row in json.loads(cli("leaderboard", "--format", "json").stdout)["rows"]}
    assert names == {"top1", "top5"}, "no validation among the results"


def test_some_methods_are_compared_among_themselves(cli, measured):
    measured("gap", 70.0, 72.0, 71.0)
    measured("gem", 70.5, 71.5, 72.0)
    measured("simpool", 80.1, 82.0, 81.0)
    text = cli("leaderboard", "-m", "gap", "-m", "simpool").stdout
    assert "3 seeds tell the two methods apart" in text and "gem" not in text
    assert {row["method"] for row in json.loads(cli("leaderboard", "-m", "gem", "--format", "json").stdout)["rows"]} == {"gem"}
    said = cli("leaderboard", "-m", "simpol")
    assert said.exit_code == 2 and "unknown method 'simpol'. Did you mean 'simpool'" in said.stderr
    assert "no results for how yet" in cli("leaderboard", "-m", "how").stderr


def test_compare(cli, measured):
    measured("gap", 70.0, 72.0, 71.0)
    measured("simpool", 80.1, 82.0, 81.0)
    row = json.loads(cli("compare", "simpool", "gap", "--json").stdout)["rows"][0]
    assert row["difference"] == pytest.approx(10.03, abs=0.01) and row["verdict"] == "a" and row["n"] == 3
    shown = cli("compare", "simpool", "gap").stdout
    assert "a  simpool\nb  gap\n" in shown and "v3: simpool is better than gap by 10.0 points." in shown
    assert "\nd: the difference in standard deviations of one seed's value.\n" in shown
    assert "\nWhere n counts seeds alone, no scores of test samples are stored" in shown
    assert cli("compare", "simpol", "gap").exit_code == 2
    for wrong in (("gap",), ("gap", "gap"), ("gap", "simpool", "gap")):
        said = cli("compare", *wrong)
        assert said.exit_code == 2 and "two or more different methods" in said.stderr


def test_compare_more_methods_over_benchmarks(cli, terminal, measured):
    for bench in ("scenes-classification", "digits", "cifar10"):
        for method, start in (("gap", 60.0), ("gem", 61.0), ("simpool", 90.0)):
            measured(method, start, start + 2, start + 1.5, on=bench)
    measured("lse", 10.0, 12.0, on="digits")
    document = json.loads(cli("compare", "gap", "gem", "simpool", "--bayes", "--rope", "5", "--json").stdout)
    assert document["methods"] == ["gap", "gem", "simpool"] and document["diagnostics"] == []
    assert [(row["method_a"], row["method_b"]) for row in document["rows"][:3]] == [("gap", "gem"), ("gap", "simpool"), ("gem", "simpool")]
    assert {row["verdict"] for row in document["rows"][::3]} == {"no difference shown"} and document["rows"][1]["verdict"] == "b"
    (table,) = document["overall"]
    assert [method["method"] for method in table["methods"]] == ["simpool", "gem", "gap"] and table["slot"] == ""
    first, _, last = document["across"]
    assert (first["method_a"], first["method_b"]) == ("simpool", "gem") and first["practical"]["a"] > 0.9 < last["practical"]["neither"]
    text = cli("compare", "gap", "gem", "simpool", "--bayes").stdout
    assert "a  gap\nb  gem\nc  simpool\n" in text and "3 methods over 3 benchmarks" in text and "first better by > 1 %" in text
    assert max(map(len, (line for line in text.splitlines() if "cannot be told apart:" not in line))) <= 100
    assert cli("compare", "lse", "gap", "gem").exit_code == 0


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
    assert (row["verdict"], row["p"], row["n"], row["b"]) == ("too few seeds", None, 1, 71.0)


def test_check_has_five_exit_codes(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0, 71.0, 71.0)
    assert cli("baseline", "save", "sub/b.json", "--tolerance", "top1=1").exit_code == 0
    check = ("check", "--baseline", "sub/b.json")
    assert cli(*check).exit_code == 0

    baseline = json.loads((tmp_path / "sub/b.json").read_text())
    top1 = next(metric for metric in baseline["cells"][0]["metrics"] if metric["metric"] == "top1")
    top1["values"] = [value + 20 for value in top1["values"]]
    (tmp_path / "high.json").write_text(json.dumps(baseline))
    worse = cli("check", "--baseline", "high.json", "--junit", "out/j.xml", "--markdown", "out/m.md", "--json")
    document = json.loads(worse.stdout)
    assert worse.exit_code == document["exit_code"] == 1 and document["verdict"] == "regression"
    assert ElementTree.parse(tmp_path / "out/j.xml").getroot().get("failures") == "1"
    assert "| worse |" in (tmp_path / "out/m.md").read_text()
    assert "regression: 1 same, 1 worse" in cli("check", "--baseline", "high.json").stdout

    assert cli("check", "--baseline", "none.json").exit_code == 2
    measured("gap", 70.0, 72.0, 71.0, 71.0, None)
    failed = cli(*check)
    assert failed.exit_code == 3 and "epoch 2" in failed.stdout
    (tmp_path / "empty.json").write_text('{"schema": 1, "entries": []}')
    assert cli("check", "--baseline", "empty.json").exit_code == 4


def test_database_travels(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    assert cli("db", "export", "all.jsonl").exit_code == 0
    other = ("--db", "sqlite:///other/harness.db")
    assert "2 trials added, 0 were there" in cli("db", "import", "all.jsonl", *other).stdout
    assert "0 trials added, 2 were there" in cli("db", "import", "all.jsonl", *other).stdout
    assert cli("leaderboard", "--format", "csv", *other).stdout == cli("leaderboard", "--format", "csv").stdout
    cli("publish", "--out", "boards")
    third = ("--db", "sqlite:///third.db")
    assert "2 trials added" in cli("db", "import", "boards/scenes-classification.jsonl", *third).stdout
    assert "0 trials added, 2 completed (scores of single samples" in cli("db", "import", "all.jsonl", *third).stdout
    changed = (tmp_path / "all.jsonl").read_text().replace('"top1":70.0', '"top1":70.5')
    (tmp_path / "changed.jsonl").write_text(changed)
    said = cli("db", "import", "changed.jsonl", *third)
    assert said.stdout == "0 trials added, 1 were there already\n"
    assert "1 trials are here with other results, which stay (1 by an unknown device here" in said.stderr and "--db" in said.stderr
    several = cli("db", "import", "boards/scenes-classification.jsonl", "all.jsonl", "--db", "sqlite:///several.db").stdout.splitlines()
    assert several == [
        "boards/scenes-classification.jsonl: 2 trials added, 0 were there already",
        "all.jsonl: 0 trials added, 2 completed (scores of single samples, curves, places), 0 were there already",
    ]
    assert "schema" in cli("db", "current", *other).stdout
    assert "empty" in cli("db", "current", "--db", "sqlite:///none.db").stdout
    assert cli("db", "upgrade", "--db", "sqlite:///none.db").exit_code == 0


def test_run_lists_what_is_done(cli, measured, monkeypatch):
    monkeypatch.setattr("harness.data.fingerprint", lambda bench, root: "data")
    measured("gap", 70.0)
    result = cli("run", "-m", "gap", "-b", "scenes-classification", "--seeds", "2", "--dry-run")
    assert result.exit_code == 0 and "2 trials, 1 done" in result.stdout
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:3]] == ["done", "planned"]


@pytest.mark.parametrize("name", ["what?.db", "100%.db", "a%20b.db", "#1 & more.db", "%3F?"])
def test_a_database_has_the_name_it_is_given(cli, measured, tmp_path, name):
    measured("gap", 70.0)
    assert cli("db", "export", "all.jsonl").exit_code == 0
    there = ("--db", f"sqlite:///sub/{name}")
    assert "1 trials added" in cli("db", "import", "all.jsonl", *there).stdout
    assert [file.name for file in (tmp_path / "sub").iterdir() if not file.name.endswith(("-wal", "-shm"))] == [name]
    assert "gap" in cli("leaderboard", *there).stdout
    assert f"sqlite:///sub/{name}: schema" in cli("db", "current", *there).stdout


def test_an_encoded_name_of_a_database_gets_a_sentence(cli, measured, tmp_path):
    measured("gap", 70.0)
    (tmp_path / "results/harness.db").rename(tmp_path / "a b.db")
    said = cli("leaderboard", "--db", "sqlite:///a%20b.db")
    assert said.exit_code == 2 and "there is a b.db. Write sqlite:///a b.db" in said.stderr


EPOCHS = ("schedule.epochs=1",)


def test_what_set_changed_stands_apart_with_a_heading(cli, terminal, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 90.0, 92.0, sets=EPOCHS)
    shown = cli("leaderboard").stdout
    first, second, _legend = (block.splitlines() for block in shown.split("\n\n"))
    assert "--set" not in first[0] and first[2].split()[1] == "gap"
    assert " ".join(second[:2]).endswith("--set schedule.epochs=1") and second[3].split()[1] == "gem"
    document = json.loads(cli("leaderboard", "--format", "json").stdout)
    assert {row["method"] for row in document["rows"]} == {"gap"}
    (apart,) = document["apart"]
    assert apart["differs"] == "--set schedule.epochs=1" and {row["method"] for row in apart["rows"]} == {"gem"}
    assert [list(row) for row in apart["rows"]] == [JSON_FIELDS] * 2
    for form in ("md", "latex", "csv"):
        assert "--set schedule.epochs=1" in cli("leaderboard", "--format", form).stdout
    assert "--set schedule.epochs=1" in cli("leaderboard", "--diagnostics").stdout
    trial = json.loads(cli("status", apart["rows"][0]["digests"][0], "--json").stdout)["trial"]
    assert (trial["setting"], trial["overrides"]) == (apart["setting"], list(EPOCHS)) and trial["task"] and trial["dataset"] == "data"


def test_methods_of_different_settings_are_not_compared(cli, measured):
    measured("gap", 70.0, 72.0, 71.0)
    measured("gem", 90.0, 92.0, 91.0, sets=("data.size=32",))
    said = cli("compare", "gem", "gap")
    assert said.exit_code == 4 and "share no benchmark and setting" in said.stderr
    measured("gem", 60.0, 62.0, 61.1, data="other data")
    assert cli("compare", "gem", "gap").exit_code == 4
    measured("gap", 80.0, 82.2, 81.0, sets=("data.size=32",))
    (row,) = json.loads(cli("compare", "gem", "gap", "--json").stdout)["rows"]
    assert (row["differs"], row["difference"]) == ("--set data.size=32", pytest.approx(9.93, abs=0.01))
    assert "v3 · --set data.size=32" in cli("compare", "gem", "gap").stdout


@pytest.mark.parametrize(
    ("today", "reason"),
    [
        ({"sets": EPOCHS}, "--set schedule.epochs=1"),
        ({"data": "data2"}, "other data: fingerprint data2, where the baseline has data"),
        ({"device": "cuda:1"}, "device cuda, where the baseline has unknown"),
        ({"sets": ("method.eps=0.001",)}, "--set method.eps=0.001, as registered in the baseline"),
    ],
    ids=["setting", "data", "device", "method"],
)
def test_a_baseline_is_held_against_its_own_data_and_setting_only(cli, measured, tmp_path, today, reason):
    measured("gem", 70.0, 72.0, 71.0, 71.0)
    assert cli("baseline", "save", "b.json").exit_code == 0
    with sqlite3.connect(tmp_path / "results/harness.db") as connection:
        for table in ("numbers", "samples", "curves", "costs", "trials"):
            connection.execute(f"DELETE FROM {table}")
    empty = cli("check", "--baseline", "b.json")
    assert empty.exit_code == 4 and "missing" in empty.stdout

    measured("gem", 70.0, 72.0, 71.0, 71.0, **today)
    checked = cli("check", "--baseline", "b.json", "--json", "--junit", "j.xml", "--markdown", "m.md")
    document = json.loads(checked.stdout)
    assert (checked.exit_code, document["verdict"]) == (4, "nothing to compare")
    assert {(entry["status"], entry["reason"]) for entry in document["entries"]} == {("incomparable", reason)}
    assert ElementTree.parse(tmp_path / "j.xml").getroot().get("errors") == "2" and "incomparable" in (tmp_path / "m.md").read_text()

    measured("gem", 20.0, 22.0, 21.0, 21.0)
    # on another device it would be the same trial, which is done
    assert cli("check", "--baseline", "b.json").exit_code == (4 if "device" in today else 1)


def test_what_is_registered_counts_today_and_some_incomparable_entries_leave_a_check_incomplete(cli, measured):
    measured("gem", 70.0, 72.0, 71.0, 71.0)
    measured("gap", 70.0, 72.0, 71.0, 71.0)
    assert cli("baseline", "save", "b.json").exit_code == 0
    measured("gem", 70.0, 72.0, 71.0, 71.0, data="edited")
    checked = cli("check", "--baseline", "b.json")
    assert checked.exit_code == 3 and "incomplete: 2 same, 2 incomparable" in checked.stdout
    assert "other data: fingerprint data, where the first block has edited: not saved" in cli("baseline", "save", "c.json").stderr


def test_a_baseline_of_the_first_schema_is_read_with_a_note(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0, 71.0, 71.0)
    row = {"benchmark": "scenes-classification", "version": 3, "method": "gap", "unit": "%", "higher_is_better": True, "n": 4}
    old = [row | {"metric": metric, "mean": mean, "tolerance": 3.5} for metric, mean in (("top1", 71.0), ("top5", 90.0))]
    (tmp_path / "old.json").write_text(json.dumps({"schema": 1, "entries": old}))
    checked = cli("check", "--baseline", "old.json")
    assert checked.exit_code == 0 and "2 of the baseline's entries say nothing of their data" in checked.stderr
    assert json.loads(cli("check", "--baseline", "old.json", "--json").stdout)["notes"]


def test_leaderboard_over_benchmarks_and_against_costs(cli, terminal, measured):
    for bench, shift in (("scenes-classification", 0.0), ("digits", 5.0), ("cifar10", 3.0)):
        measured("gap", 70.0 + shift, 72.0 + shift, on=bench)
        measured("simpool", 80.0 + shift, 84.0 + shift, on=bench)
    (table,) = json.loads(cli("leaderboard", "--overall", "--format", "json").stdout)["overall"]
    assert [(method["method"], method["rank"], method["ranks"]) for method in table["methods"]] == [
        ("simpool", 1.0, [1.0, 1.0, 1.0]), ("gap", 2.0, [2.0, 2.0, 2.0]),
    ]  # fmt: skip
    text = cli("leaderboard", "--overall").stdout
    assert "pooling: 2 methods over 3 benchmarks" in text and max(map(len, text.splitlines())) <= 100
    for form in ("md", "latex", "csv"):
        assert "simpool" in cli("leaderboard", "--overall", "--format", form).stdout
    alone = cli("leaderboard", "--overall", "-b", "digits")
    assert (alone.exit_code, alone.stdout) == (0, "") and "two benchmarks" in alone.stderr
    front = cli("leaderboard", "-b", "digits", "--pareto", "flops", "--pareto", "latency")
    assert ["*" in line for line in front.stdout.splitlines()[3:5]] == [True, False] and "front: " in front.stdout
    document = json.loads(cli("leaderboard", "-b", "digits", "--pareto", "params", "--format", "json").stdout)
    assert document["front"] == [{"benchmark": "digits", "method": "simpool", "costs": ["params"]}]


def test_a_baseline_that_could_not_fail_is_refused_with_the_mend(cli, measured, tmp_path):
    measured("gap", 70.0, 80.0)
    measured("gem", 71.0, 72.0, 71.5)
    refused = cli("baseline", "save", "b.json")
    assert refused.exit_code == 2 and not (tmp_path / "b.json").exists()
    assert "top1 of 'gap'" in refused.stderr and "seeds would do" in refused.stderr and "--leave-out" in refused.stderr
    saved = cli("baseline", "save", "b.json", "--leave-out")
    assert saved.exit_code == 0 and "left out, as it could not fail: top1 of 'gap'" in saved.stderr
    assert "passed" in cli("check", "--baseline", "b.json").stdout
    assert cli("baseline", "save", "c.json", "--tolerance", "top1=60").exit_code == 2, "a tolerance that reaches the floor"


def test_one_seed_needs_a_tolerance(cli, measured):
    measured("gap", 70.0)
    assert "run 3 or more" in cli("baseline", "save", "b.json").stderr
    assert cli("baseline", "save", "b.json", "--tolerance", "top1=2").exit_code == 0
    assert cli("check", "--baseline", "b.json").exit_code == 0


def test_seeds_that_all_reach_the_end_need_a_tolerance(cli, measured):
    measured("gap", 100.0, 100.0, 100.0)
    measured("gem", 100.0, 100.0, 100.0)
    assert (
        "3 seeds, which say nothing of their noise: all are 100.0; give --tolerance top1=VALUE" in cli("baseline", "save", "b.json").stderr
    )
    assert cli("baseline", "save", "b.json", "--tolerance", "top1=2").exit_code == 0
    assert cli("check", "--baseline", "b.json").exit_code == 0


def test_survivors_make_no_baseline(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0, 71.0, 71.0)
    measured("gem", 80.0, 82.0, 81.0, None, None)
    measured("simpool", None)
    refused = cli("baseline", "save", "b.json", "--seeds", "3")
    assert refused.exit_code == 2 and "1 method lacks seeds, so nothing is saved. Run more seeds" in refused.stderr
    assert "lacks seeds: 'gem' on scenes-classification v3 has 3 of 5 seeds (2 failed: nan)" in refused.stderr
    assert not (tmp_path / "b.json").exists()
    few = cli("baseline", "save", "b.json", "--seeds", "5", "--leave-out")
    assert few.exit_code == 2 and "'gap' on scenes-classification v3 has 4 of the 5 seeds that a check must have" in few.stderr, (
        "nothing is left"
    )
    saved = cli("baseline", "save", "b.json", "--seeds", "3", "--leave-out")
    assert saved.exit_code == 0 and "left out, as it lacks seeds: 'gem'" in saved.stderr and "2 entries saved" in saved.stdout
    assert "'simpool' on scenes-classification v3 has no result and is not saved: 1 failed" in saved.stderr
    assert {cell["method"] for cell in json.loads((tmp_path / "b.json").read_text())["cells"]} == {"gap"}
    checked = cli("check", "--baseline", "b.json")
    assert checked.exit_code == 0 and "passed: 2 same" in checked.stdout, "what was left out is not new"


def test_a_database_that_is_kept_is_asked_for_what_ran_last(cli, measured, monkeypatch):
    measured("gap", 70.0, 72.0, 71.0, 71.0)
    measured("gem", 80.0, 82.0, 81.0, 81.0)
    assert cli("baseline", "save", "b.json").exit_code == 0
    edited = {"gap": "edited", "gem": "edited"}
    monkeypatch.setattr("harness.compose.trial.source_digest", lambda name, files: edited[name])
    measured("gap", *[None] * 4)
    measured("gem", 20.0, 22.0, 21.0, 21.0)
    checked = cli("check", "--baseline", "b.json", "--json")
    entries = {entry["method"]: entry for entry in json.loads(checked.stdout)["entries"]}
    assert checked.exit_code == 3 and len(json.loads(checked.stdout)["failed"]) == 4
    assert "without a result yet: 4 failed" in entries["gap"]["reason"] and entries["gap"]["status"] == "missing"
    # what is here is as it was: the edited source was put back
    assert entries["gem"]["status"] == "incomparable" and "other sources than those here" in entries["gem"]["reason"]
    refused = cli("baseline", "save", "c.json")
    assert refused.exit_code == 2 and "'gap' on scenes-classification v3 was planned since" in refused.stderr


def test_calibration(cli, measured):
    for method, level in (("gap", 70.0), ("gem", 80.0), ("simpool", 60.0)):
        measured(method, *(level + (seed % 3) for seed in range(8)))
    assert cli("baseline", "save", "b.json", "--seeds", "4").exit_code == 0
    document = json.loads(cli("check", "--baseline", "b.json", "--calibrate", "200", "--json").stdout)
    rates = document["false_alarms"]
    assert rates["simulated"]["repeats"] == rates["resampled"]["repeats"] == 200 and rates["simulated"]["rate"] < 0.05
    top1 = [entry for entry in document["entries"] if entry["metric"] == "top1"]
    assert len(top1) == 3 and all(entry["allowed"] < entry["detectable"] < entry["to_lose"] for entry in top1)
    shown = cli("check", "--baseline", "b.json", "--calibrate")
    assert shown.exit_code == 0 and "false alarms of the whole check" in shown.stdout and "400 repeats" in shown.stdout
    both = cli("check", "--baseline", "b.json", "--calibrate", "--costs", "--junit", "c.xml")
    assert both.exit_code == 2 and "Leave out --costs and --junit." in both.stderr
    assert cli("baseline", "save", "b.json", "--leave-out").exit_code == 0


def test_costs_are_judged_when_asked(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0, 71.0, 71.0)
    assert cli("baseline", "save", "b.json").exit_code == 0
    document = json.loads((tmp_path / "b.json").read_text())
    document["cells"][0]["costs"]["params"] = [600_000.0] * 4
    (tmp_path / "b.json").write_text(json.dumps(document))
    assert cli("check", "--baseline", "b.json").exit_code == 0
    dearer = cli("check", "--baseline", "b.json", "--costs")
    assert dearer.exit_code == 1 and "1 cost more" in dearer.stdout and "1.17" in dearer.stdout


def test_every_version_of_the_code_stays_and_is_shown(cli, measured, tmp_path, monkeypatch):
    """Seeds that were measured with an older source remain when the newer one is measured."""
    for source, level in (("a", 70.0), ("b", 70.5), ("c", 60.0)):
        monkeypatch.setattr("harness.compose.trial.source_digest", lambda name, files, source=source: source)
        measured("gap", level, level + 1, level + 2)
    document = json.loads(cli("history", "-b", "scenes-classification", "-m", "gap", "--json", "--plot", "out/h.png").stdout)
    assert [(row["values"], row["changed"]) for row in document["rows"]] == [
        ([70.0, 71.0, 72.0], ""), ([70.5, 71.5, 72.5], "source of gap"), ([60.0, 61.0, 62.0], "source of gap"),
    ]  # fmt: skip
    assert [(found["at"], found["better"]) for found in document["changes"]] == [(2, False)]
    assert (tmp_path / "out/h.png").read_bytes().startswith(b"\x89PNG")
    shown = cli("history", "-b", "scenes-classification", "-m", "gap")
    assert shown.exit_code == 0 and "-10.2 worse" in shown.stdout and "██▁" in shown.stdout
    assert "top5 %" in cli("history", "-b", "scenes-classification", "-m", "gap", "--metric", "top5").stdout
    unknown = cli("history", "-b", "scenes-classification", "-m", "gap", "--metric", "top7")
    assert unknown.exit_code == 2 and "Known: top1, top5" in unknown.stderr
    assert cli("history", "-b", "scenes-classification", "-m", "gem").exit_code == 4
    assert cli("history", "-b", "scenes-classification", "-m", "gapp").exit_code == 2
    assert cli("history", "-b", "scenes-classification", "-m", "gap", "--plot", "h.xyz").exit_code == 2


@pytest.mark.parametrize(
    "verb",
    [
        "leaderboard",
        "leaderboard --format json",
        "status",
        "status --json",
        "claims",
        "compare gap gem",
        "history -b scenes-classification -m gap",
        "report --out report",
    ],
)
def test_a_mistyped_database_is_named_and_no_other_one_is_filled(cli, tmp_path, verb):
    result = cli(*verb.split(), "--db", f"sqlite:///{tmp_path}/none.db")
    assert f"no database at {tmp_path}/none.db" in result.stderr and f"--db sqlite:///{tmp_path}/none.db" in result.stderr
    assert result.exit_code == 2 and not (tmp_path / "none.db").exists()
