"""``harness run --tune`` from plan to leaderboard, with trials that cost nothing: both phases, and what stops between them."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import TrialError
from harness.outcome import Cost, Outcome

REGISTRY = """
benchmarks:
  tiny:
    family: classification
    tier: synthetic
    data: {format: synthetic, train: 24, test: 12, size: 32}
    schedule: {epochs: 1, batch_size: 12, lr: 0.01}
    cost: 2
suites:
  small: {benchmarks: [tiny], methods: [gap, gem], seeds: 2, tune: 4}
"""

BEST = {"gap": 0.03, "gem": 0.01, "simpool": 0.004}
RUN = ["run", "-b", "tiny", "-m", "gap", "-m", "gem", "--seeds", "2", "--device", "cpu", "--workers", "1"]


def rate(trial) -> float:
    return trial.config["optim_wrapper"]["optimizer"]["lr"]


def validation(trial) -> float:
    """How good a learning rate is: less, the farther it is from the best one."""
    return 90 - 10 * abs(math.log(rate(trial) / BEST[trial.method]))


def fake(trial, *, data: Path, work_dir: Path, device: str, batch_divisor: int = 1) -> Outcome:
    with Path("log.txt").open("a") as stream:
        stream.write(f"{trial.purpose or 'final'} {trial.method} {trial.seed} {rate(trial)}\n")
    if Path("fail.txt").exists() and rate(trial) > float(Path("fail.txt").read_text()):
        raise TrialError("the loss is nan")
    if Path("kill.txt").exists() and trial.purpose == Path("kill.txt").read_text():
        os.kill(os.getppid(), signal.SIGTERM)  # SIGINT is ignored where the tests run in the background
        time.sleep(60)
    # the test says the opposite of the validation: whoever chose by it would choose otherwise
    metrics = {} if trial.purpose else {"top1": 140 - validation(trial) + 0.1 * trial.seed, "top5": 99.0}
    curves = {"loss": np.array([[1.0, 2.0]]), "val/top1": np.array([[1.0, 99.0], [2.0, validation(trial)]])}
    return Outcome(metrics, Cost(params=1), curves=curves, environment={"device": "cpu", "numerics": 1})


@pytest.fixture
def run(cli, monkeypatch):
    """The command line with faked trials, in a folder with one small benchmark."""
    from harness.engine import prepare

    monkeypatch.setattr(prepare, "trial_function", lambda files: fake)
    Path("registry.yaml").write_text(REGISTRY)
    return cli


def log() -> list[list[str]]:
    return [line.split() for line in Path("log.txt").read_text().splitlines()] if Path("log.txt").exists() else []


def test_each_method_is_run_with_what_validation_found(run):
    result = run(*RUN, "--tune", "8")
    assert result.exit_code == 0, result.output
    began = log()
    assert [line[0] for line in began] == ["tuning"] * 16 + ["final"] * 4, "no final seed before all is tuned"
    assert {line[2] for line in began[:16]} == {"1000"} and [line[2] for line in began[16:]] == ["0", "1", "0", "1"]
    for method in ("gap", "gem"):
        tried = [float(line[3]) for line in began[:16] if line[1] == method]
        nearest = min(tried, key=lambda lr: abs(math.log(lr / BEST[method])))
        assert {float(line[3]) for line in began[16:] if line[1] == method} == {nearest}
    assert "tuned gap on tiny: schedule.lr=0.0" in result.stderr and "tuned gem on tiny: as registered (val/top1 90.0)" in result.stderr
    assert "[tuning 16/16] " in result.stderr and "[final 4/4] " in result.stderr
    assert "top1 [%], higher is better · tuned with 8 trials\n" in result.stdout
    compared = run("compare", "gap", "gem").stdout
    assert "tiny v1 · tuned with 8 trials: " in compared
    assert "tuned: an interval is of the point that was chosen" in compared and "tuned: an interval is of" in result.stdout
    assert json.loads(run("compare", "gap", "gem", "--json").stdout)["rows"][0]["differs"] == "tuned with 8 trials"
    shown = {row["benchmark"]: row for row in json.loads(run("list", "benchmarks", "--resolution", "--json").stdout)["rows"]}
    assert shown["tiny"]["differs"] == "tuned with 8 trials" and shown["digits"]["differs"] is None
    assert "tiny · tuned with 8 trials  1  " in run("list", "benchmarks", "--resolution").stdout
    run("publish", "--out", "boards")
    page = Path("boards/tiny.md").read_text()
    assert "#### tiny v1 · tuned with 8 trials: chosen on validation images\n" in page
    assert "| gem | as registered | 90.0 | 90.0 |" in page
    assert "> one seed each shows differences from 0.0 % on" in page and "by less for 0 of 2 methods" in page
    assert re.search(r"\| gap \| schedule\.lr=0\.0\S+ \| 8\d\.\d \| 79\.0 \|", page)

    again = run(*RUN, "--tune", "8")
    assert again.exit_code == 0 and len(log()) == 20 and again.stdout == result.stdout
    more = run(*RUN, "--tune", "9")
    assert more.exit_code == 0 and [line[0] for line in log()[20:]] == ["tuning"] * 2 + ["final"] * 4, "eight points are known already"


def test_tuning_trials_stand_in_no_table_and_other_budgets_apart(run):
    assert run(*RUN, "--tune", "4").exit_code == 0 and run(*RUN).exit_code == 0 and run(*RUN, "--tune", "8").exit_code == 0
    board = json.loads(run("leaderboard", "--format", "json").stdout)
    assert {(row["method"], row["n"]) for row in board["rows"]} == {("gap", 2), ("gem", 2)}
    assert "tuned" not in board, "one tuned method must not take the place of all others"
    apart = {some["differs"]: some for some in board["apart"]}
    four, eight = (f"tuned with {trials} trials" for trials in (4, 8))
    assert [*apart] == [eight, four], "the newest first"
    assert apart[four]["tuning"] == {"trials": 4, "seeds": 1, "space": {"schedule.lr": {"times": [0.25, 4]}}}
    blocks = [board, *board["apart"]]
    assert len({digest for block in blocks for row in block["rows"] if row["metric"] == "top1" for digest in row["digests"]}) == 12
    assert [line for line in run("leaderboard").stdout.splitlines() if line.startswith("tiny v1")] == [
        "tiny v1 · classification · synthetic · top1 [%], higher is better",
        *(f"tiny v1 · classification · synthetic · top1 [%], higher is better · {differs}" for differs in apart),
    ]

    rows = json.loads(run("status", "--json").stdout)["rows"]
    assert sum(row["purpose"] == "tuning" for row in rows) == 16 and len(rows) == 28
    assert "16 of them only help to choose options" in run("status").stdout


def test_a_final_trial_shows_what_was_tried(run):
    assert run(*RUN, "--tune", "4", "--tune-seeds", "2").exit_code == 0
    (row,) = [r for r in json.loads(run("leaderboard", "--format", "json").stdout)["rows"] if (r["method"], r["metric"]) == ("gap", "top1")]
    tuning = json.loads(run("status", row["digests"][0], "--json").stdout)["trial"]["tuning"]
    assert (tuning["trials"], tuning["seeds"], tuning["metric"]) == (4, [1000, 1001], "val/top1")
    tried = [line for line in log() if line[:3] == ["tuning", "gap", "1000"]]
    assert tuning["points"][0]["values"] == {} and tried[0][3] == "0.01"
    for point, line in zip(tuning["points"][1:], tried[1:], strict=True):
        assert point["values"] == {"schedule.lr": float(line[3])}
    assert tuning["points"][0]["validation"] == pytest.approx([90 - 10 * math.log(3)] * 2)
    text = run("status", row["digests"][0]).stdout
    assert "tuned with 4 trials on the validation split (seeds 1000, 1001; higher is better)" in text
    marked = [line for line in text.splitlines() if line.endswith("chosen")]
    assert len(marked) == 1 and str(tuning["points"][tuning["winner"]]["values"]["schedule.lr"]) in marked[0]
    helper = tuning["points"][1]["trials"][0]
    shown = json.loads(run("status", helper, "--json").stdout)["trial"]
    assert shown["purpose"] == "tuning" and shown["tuning"] is None and shown["state"] == "done" and shown["seed"] == 1000
    assert run(*RUN).exit_code == 0
    for some in json.loads(run("status", "--json").stdout)["rows"]:
        tuned = some["setting"] == json.loads(run("status", row["digests"][0], "--json").stdout)["trial"]["setting"]
        assert (json.loads(run("status", some["digest"], "--json").stdout)["trial"]["tuning"] is not None) == tuned


@pytest.mark.parametrize("phase", ["tuning", ""])
def test_what_is_interrupted_goes_on_in_its_phase(run, phase):
    Path("kill.txt").write_text(phase)
    stopped = run(*RUN, "--tune", "4")
    assert stopped.exit_code == 130, stopped.output
    assert [line[0] for line in log()] == (["tuning"] if phase else ["tuning"] * 8 + ["final"])
    assert f"{'8 tuning trials' if phase else '4 trials'} are not done; the same command goes on with them." in stopped.stderr
    Path("kill.txt").unlink()
    Path("log.txt").unlink()
    assert run(*RUN, "--tune", "4").exit_code == 0
    assert [line[0] for line in log()] == (["tuning"] * 8 if phase else []) + ["final"] * 4
    assert run(*RUN, "--tune", "4").exit_code == 0 and len(log()) == (12 if phase else 4)


def test_what_fails_in_tuning_is_the_worst_and_is_told(run):
    Path("fail.txt").write_text("0.02")
    result = run(*RUN, "--tune", "8")
    assert result.exit_code == 0, "what is left out of a choice is no failure of the choice"
    assert "failed in tuning: gap on tiny, seed 1000: no-result: the loss is nan" in result.stderr
    failed = sum(float(line[3]) > 0.02 for line in log())
    assert failed and f"{failed} tuning trials failed and count as the worst" in result.stderr
    assert {float(line[3]) for line in log() if line[0] == "final"} == {
        max(float(line[3]) for line in log() if float(line[3]) <= 0.02),
        0.01,
    }
    assert json.loads(run("status", "--json").stdout)["counts"]["done"] == 20 - failed

    Path("fail.txt").unlink()
    again = run(*RUN, "--tune", "8", "--retry-failed")
    assert again.exit_code == 0 and [line[0] for line in log()[20:]] == ["tuning"] * failed + ["final"] * 2, "of gap alone"


def test_a_method_that_no_point_suits_is_not_run(run):
    Path("fail.txt").write_text("0.02")
    result = run(*RUN, "--tune", "4", "--set", "schedule.weight_decay=0.5", "--set", "schedule.lr=0.03", "-m", "simpool")
    assert result.exit_code == 2 and "nothing is left to tune" in result.stderr
    result = run("run", "-b", "tiny", "-m", "simpool", "--device", "cpu", "--tune", "3", "--set", "schedule.lr=0.03")
    assert result.exit_code == 3 and "tuned simpool on tiny: none of 3 points has a value of val/top1" in result.stderr
    assert all(line[0] == "tuning" for line in log())


def test_a_check_compares_equal_budgets_and_fails_by_no_tuning_trial(run):
    four = [*RUN, "--seeds", "4"]
    assert run(*four).exit_code == 0 and run("baseline", "save", "untuned.json").exit_code == 0
    Path("fail.txt").write_text("0.009")  # what is registered, too
    alone = ["--db", "sqlite:///tuned.db"]
    assert run(*four, "--tune", "4").exit_code == run(*four, "--tune", "4", *alone).exit_code == 0
    assert run("baseline", "save", "tuned.json", *alone).exit_code == 0
    Path("fail.txt").unlink()
    for kept in ("untuned.json", "tuned.json"):
        result = run("check", "--baseline", kept, "--json")
        found = json.loads(result.stdout)
        assert result.exit_code == 0 and found["failed"] == [] and {entry["status"] for entry in found["entries"]} == {"ok"}, result.output
    alone = ["--db", "sqlite:///untuned.db"]
    assert run(*four, *alone).exit_code == 0
    other = run("check", "--baseline", "tuned.json", "--json", *alone)
    assert other.exit_code == 4 and "not tuned, where the baseline is tuned with 4 trials" in other.stdout


def test_a_dry_run_says_how_much_of_each_phase_is_left(run):
    first = run("run", "-s", "small", "--dry-run")
    assert first.exit_code == 0 and not log(), first.output
    assert first.stdout.splitlines()[-2:] == [
        "tuning: 8 trials (4 points for each of 2 methods on benchmarks), 0 done; about 0.3 min on one core left.",
        "final: 4 trials, 0 done, 4 wait for the tuning; about 0.1 min on one core left.",
    ]
    assert run("run", "-s", "small", "-m", "gap", "--device", "cpu").exit_code == 0
    then = run("run", "-s", "small", "--dry-run")
    assert then.stdout.splitlines()[-2:] == [
        "tuning: 8 trials (4 points for each of 2 methods on benchmarks), 4 done; about 0.1 min on one core left.",
        "final: 4 trials, 2 done, 2 wait for the tuning; about 0.1 min on one core left.",
    ]
    assert sum(line.endswith("final") for line in then.stdout.splitlines()) == 2
    assert "tuning" not in run("run", "-s", "small", "--tune", "0", "--dry-run").stdout


def test_without_a_validation_split_nothing_can_be_tuned(run, monkeypatch):
    from harness.engine import prepare

    def blind(trial, **where) -> Outcome:
        outcome = fake(trial, **where)
        del outcome.curves["val/top1"]
        return outcome

    monkeypatch.setattr(prepare, "trial_function", lambda files: blind)
    result = run(*RUN, "--tune", "2")
    assert result.exit_code == 3 and result.stderr.count("the dataset has no validation split") == 2
