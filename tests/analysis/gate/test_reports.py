"""What machines and people read of a check."""

from __future__ import annotations

import random
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from harness.analysis.gate import regression, reports
from harness.analysis.gate.saving import expect

METHODS = {name: [(80.0, 1.0), (81.0, 1.1), (82.0, 0.9)] for name in ("gap", "gem\x00<&", "max")}


@pytest.fixture
def outcome(measure, trial_row):
    baseline, _ = expect(measure(METHODS).board)
    failed = trial_row(seed=5, reason="bad \x1b[0m & <tag>", config_digest="config-gap", plugins={"gap": "source"})
    now = measure({"gap": [(20.0, 1.0)] * 3, "max": [(95.0, 1.0)] * 3, "new": METHODS["gap"]}, code="new", unfinished=[failed])
    return regression.check(baseline, now.board)


def test_junit_is_what_ci_servers_read(outcome):
    suite = ElementTree.fromstring(reports.junit(outcome)).find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == 9
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == 1
    assert int(suite.get("errors")) == len(suite.findall("testcase/error")) == 3
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped")) == 2
    assert "allowed, higher is better" in suite.find("testcase/failure").get("message")


def test_junit_of_a_baseline_without_entries_is_an_error(outcome):
    suite = ElementTree.fromstring(reports.junit(replace(outcome, entries=[], failed=[]))).find("testsuite")
    assert (suite.get("tests"), suite.get("errors"), len(suite.findall("testcase/error"))) == ("1", "1", 1)


def test_markdown_puts_the_worst_first_and_folds_what_is_fine(outcome):
    text = reports.markdown(outcome)
    assert text.startswith("## harness check: regression: 2 same, 1 better, 1 worse, 2 missing, 2 new; 1 trial failed")
    order = ["| worse |", "| missing |", "Failed trials", "<summary>1 better", "<summary>2 same"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert text.count("<details>") == text.count("</details>") == 2
    assert "| new |" not in text and "- scenes" not in text, "counted in the first line, which says all of one benchmark"


def test_what_is_new_is_counted_by_benchmark(outcome):
    (same, *_), (new, *_) = outcome.of("same"), outcome.of("new")
    two = replace(outcome, entries=[*outcome.entries, replace(new, benchmark="digits"), replace(same, benchmark="digits")])
    assert {entry.status for entry in reports.noteworthy(two)} == {"worse", "missing", "better"}
    lines = ["digits v1: 1 same, 1 new", "scenes v1: 2 same, 1 better, 1 worse, 2 missing, 2 new"]
    assert reports.by_benchmark(two) == lines and "- " + "\n- ".join(lines) in reports.markdown(two)


def test_a_long_list_is_cut_short(outcome):
    (worst,) = outcome.of("worse")
    many = replace(outcome, entries=[replace(worst, method=f"m{i:02}") for i in range(reports.MOST + 5)])
    assert "<summary>5 more</summary>" in reports.markdown(many)


def test_order_is_that_of_the_entries_not_of_the_database(outcome):
    entries = list(outcome.entries)
    random.Random(0).shuffle(entries)
    shuffled = replace(outcome, entries=entries)
    assert reports.markdown(shuffled) == reports.markdown(outcome) and reports.junit(shuffled) == reports.junit(outcome)
