"""The regression check: every verdict, every direction, and reports that machines read."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import pytest

from harness.analysis import baseline, check_reports, regression
from harness.analysis.leaderboard import build
from harness.errors import UsageError


@pytest.fixture
def board(result, specs, floors):
    def make(top1=(80.0, 82.0), error=(1.0, 1.0), method="gap"):
        return build(
            [result(method, seed, {"top1": t, "error": e}) for seed, (t, e) in enumerate(zip(top1, error, strict=True))], specs, floors
        )

    return make


def expected(board, **changes):
    return [entry.model_copy(update=changes) for entry in baseline.expect(board)]


def test_default_tolerance_is_two_standard_errors_of_a_difference_or_a_share(board):
    entries = {entry.metric: entry for entry in baseline.expect(board((70.0, 90.0)))}
    assert entries["top1"].tolerance == pytest.approx(2 * math.sqrt(200) * math.sqrt(2 / 2), rel=1e-2)
    assert entries["error"].tolerance == pytest.approx(0.05)
    assert {e.metric: e.tolerance for e in baseline.expect(board(), tolerances={"top1": 1.5})}["top1"] == 1.5


@pytest.mark.parametrize(
    ("top1", "error", "verdict", "statuses"),
    [
        ((80.0, 82.0), (1.0, 1.0), "passed", ["ok", "ok"]),
        ((79.0, 81.0), (1.1, 1.1), "passed", ["ok", "ok"]),
        ((81.0, 83.0), (0.95, 0.95), "passed", ["ok", "ok"]),
        ((78.9, 80.9), (1.0, 1.0), "regression", ["worse", "ok"]),
        ((80.0, 82.0), (1.11, 1.11), "regression", ["ok", "worse"]),
        ((90.0, 92.0), (0.5, 0.5), "passed", ["better", "better"]),
        ((math.nan, 82.0), (1.0, 1.0), "regression", ["worse", "ok"]),
    ],
)
def test_tolerance_has_a_direction(board, top1, error, verdict, statuses):
    entries = [e.model_copy(update={"tolerance": 1.0 if e.metric == "top1" else 0.1 + 1e-12}) for e in baseline.expect(board())]
    outcome = regression.check(entries, board(top1, error))
    assert outcome.verdict == verdict and [entry.status for entry in outcome.entries] == statuses
    assert outcome.exit_code == {"passed": 0, "regression": 1}[verdict]


def test_not_a_number_on_both_sides_is_as_before(board):
    before = baseline.expect(board((math.nan, 1.0)))
    assert before[0].mean is None
    assert regression.check(before, board((math.nan, 1.0))).of("ok")[0].reason == "not a number, as before"
    assert regression.check(before, board()).of("better")[0].reason == "was not a number"


def test_what_only_one_side_has_is_listed(board):
    both = baseline.expect(board())
    absent = [entry.model_copy(update={"method": "gone"}) for entry in both]
    outcome = regression.check([*both, *absent], board())
    assert outcome.exit_code == 3 and {entry.method for entry in outcome.of("missing")} == {"gone"}
    outcome = regression.check(both[:1], board())
    (new,) = outcome.of("new")
    assert outcome.exit_code == 0 and (new.metric, new.current, new.baseline, new.difference, new.n) == ("error", 1.0, None, None, 2)
    (new,) = regression.check(both[:1], board(error=(math.nan, 1.0))).of("new")
    assert new.current is None


def test_an_empty_comparison_never_passes(board):
    assert regression.check([], board()).exit_code == 4
    assert regression.check(baseline.expect(board()), build([], [], [])).exit_code == 4
    assert regression.check(expected(board(), version=7), board()).exit_code == 4
    assert regression.check([], build([], [], [])).exit_code == 4


def test_fewer_seeds_are_missing_trials(board):
    outcome = regression.check(baseline.expect(board((80.0, 80.0, 80.0), (1.0, 1.0, 1.0))), board((80.0, 80.0)))
    assert outcome.exit_code == 3 and outcome.entries[0].reason == "2 of 3 seeds"
    assert regression.check(baseline.expect(board()), board((81.0, 81.0, 81.0), (1.0, 1.0, 1.0))).exit_code == 0, "more seeds are fine"


def test_failed_trials_count_until_they_are_done(board, trial_row):
    entries = baseline.expect(board())
    assert regression.check(entries, board(), [trial_row(seed=5)]).exit_code == 3
    assert regression.check(entries, board(), [trial_row(seed=0)]).exit_code == 0, "measured meanwhile"
    assert regression.check(entries, board(), [trial_row("other", seed=5)]).exit_code == 0, "not in the baseline"
    assert regression.check(entries, build([], [], []), [trial_row(seed=5)]).exit_code == 3
    for state in ("planned", "running", "done"):
        assert regression.check(entries, board(), [trial_row(seed=5, state=state)]).exit_code == 0


def test_a_regression_weighs_more_than_a_gap(board, trial_row):
    assert regression.check(baseline.expect(board()), board((1.0, 2.0)), [trial_row(seed=5)]).exit_code == 1


def test_another_direction_is_refused(board):
    with pytest.raises(UsageError, match="higher_is_better"):
        regression.check(expected(board(), higher_is_better=None), board())


def test_file_reads_back(board, tmp_path):
    file = tmp_path / "b.json"
    entries = baseline.expect(board())
    file.write_text(baseline.dump(entries, "0.1"))
    assert baseline.load(file) == entries
    assert json.loads(file.read_text())["schema"] == 2


def test_junit_is_what_ci_servers_read(board, trial_row):
    entries = [*baseline.expect(board()), *expected(board(), method="gone\x00<&")]
    outcome = regression.check(entries, board((1.0, 2.0)), [trial_row(seed=5, reason="bad \x1b[0m & <tag>")])
    suite = ElementTree.fromstring(check_reports.junit(outcome)).find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == 5
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == 1
    assert int(suite.get("errors")) == len(suite.findall("testcase/error")) == 3
    assert "tolerance" in suite.find("testcase/failure").get("message")


def test_markdown_puts_the_worst_first(board, trial_row):
    text = check_reports.markdown(regression.check(baseline.expect(board()), board((1.0, 2.0)), [trial_row(seed=5)]))
    assert text.startswith("## harness check: regression: 1 ok, 1 worse; 1 trials failed")
    assert text.index("| worse |") < text.index("Failed trials") < text.index("1 as expected")


def test_json_has_the_documented_keys(board):
    document = regression.as_json(regression.check(baseline.expect(board()), board()))
    assert list(document) == ["verdict", "exit_code", "entries", "failed"]
    json.dumps(document, allow_nan=False)
