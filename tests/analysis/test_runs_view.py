"""How far runs are, against a simulation and by hand; failures of one cause stand together."""

from __future__ import annotations

import random

import pytest

from harness.analysis.views import runs
from harness.store import Lot

NOW = 10_000.0


def _lots(rows) -> list[Lot]:
    """What the store would say of these trials."""
    keys = sorted({(row.created, row.benchmark, row.state) for row in rows})
    found = []
    for key in keys:
        some = [row for row in rows if (row.created, row.benchmark, row.state) == key]
        timed = [row for row in some if row.seconds is not None]
        found.append(
            Lot(*key, len(some), sum(r.expected for r in some), sum(r.expected for r in timed), sum(r.seconds for r in timed), NOW)
        )
    return found


def test_time_left_is_that_of_a_simulated_queue(trial_row):
    """Trials of two benchmarks, each of which takes a multiple of what was expected, on four workers: the guess is near the truth."""
    rng = random.Random(0)
    truth = {"slow": 3.0, "fast": 0.5}
    rows, ends = [], []
    for number in range(160):
        benchmark = ("slow", "fast")[number % 2]
        takes = {"slow": 30.0, "fast": 8.0}[benchmark] * truth[benchmark] * rng.uniform(0.9, 1.1)
        about = {"benchmark": benchmark, "seed": number, "expected": {"slow": 30.0, "fast": 8.0}[benchmark], "created": 1.0, "reason": None}
        if len(ends) < 4:
            ends.append(0.0)
        began = min(ends)
        ends[ends.index(began)] = began + takes
        state = "done" if began + takes <= 1000 else "running" if began <= 1000 else "planned"
        times = {"started": NOW - 1000 + began} if state != "planned" else {"started": None}
        rows.append(
            trial_row(
                **about, **times, state=state, alive=state == "running", finished=NOW - 1000 + began + takes if state == "done" else None
            )
        )
    running = [row for row in rows if row.state == "running"]
    (batch,) = runs.batches(_lots(rows), running, NOW)
    assert len(running) == 4 and batch.total == 160 and batch.ended == sum(row.state == "done" for row in rows)
    assert batch.counts["planned"] > 40, "or there would be little to guess"
    assert batch.seconds_left == pytest.approx(max(ends) - 1000, rel=0.1)
    assert {row.digest for row in batch.running} == {row.digest for row in running}


def test_what_nobody_runs_has_no_time_left(trial_row):
    rows = [
        trial_row(seed=0, state="running", alive=False, created=1.0, finished=None),
        trial_row(seed=1, state="planned", created=1.0, started=None, finished=None),
        trial_row(seed=2, state="done", created=1.0),
        trial_row(seed=3, state="done", created=2.0),
        trial_row(seed=4, state="failed", created=3.0),
        trial_row(seed=5, state="running", alive=True, created=0.5, finished=None, started=NOW - 3),
    ]
    running = [row for row in rows if row.state == "running"]
    alive, waiting = runs.batches(_lots(rows), running, NOW)
    assert (alive.created, waiting.created) == (0.5, 1.0), "batches that have ended are not shown, those that run come first"
    assert waiting.seconds_left is None and waiting.counts == {"planned": 1, "running": 0, "interrupted": 1, "done": 1, "failed": 0}
    assert alive.counts["running"] == 1 and alive.seconds_left == 0.0
    assert runs.totals(_lots(rows), running) == {"planned": 1, "running": 1, "interrupted": 1, "done": 2, "failed": 1}
    assert sum(alive.counts.values()) == alive.total == 1


def test_failures_of_one_cause_stand_together(trial_row):
    reasons = [
        ("out-of-memory", "tried to allocate 12.5 GiB at 0x7f3a on device 0"),
        ("no-result", "the loss is nan in epoch 3"),
        ("out-of-memory", "tried to allocate 1,024 MiB at 0x99 on device 1".replace("MiB", "GiB")),
        ("no-result", "the loss is nan in epoch 17"),
        ("no-result", "the loss is inf in epoch 17"),
        ("error", "the loss is nan in epoch 17"),
        ("no-result", "the loss is nan in epoch 1e5"),
    ]
    rows = [trial_row(seed=seed, kind=kind, reason=reason, finished=float(seed)) for seed, (kind, reason) in enumerate(reasons)]
    found = runs.failures([*rows, trial_row(seed=99, state="done")])
    assert [[row.seed for row in failure.rows] for failure in found] == [[6, 3, 1], [2, 0], [5], [4]]
    assert found[0].reason == "the loss is nan in epoch 1e5" and found[0].methods == ("gap",)
    assert len({failure.key for failure in found}) == 4
    assert [failure.key for failure in runs.failures(reversed(rows))] == [failure.key for failure in found]


def test_how_far_a_trial_is_stands_in_its_log():
    log = "x Epoch(train) [2][20/23]  lr: 1\nx Epoch(val) [2][3/3]    top1: 5\n"
    assert runs.phase(log) == "validation, epoch 2, 3 of 3"
    assert runs.phase(log + "x Epoch(train)  [3][ 20/230]  lr") == "training, epoch 3, 20 of 230"
    assert runs.phase(log + "x Epoch(test) [ 50/100]  eta") == "test, 50 of 100"
    assert runs.phase("") == runs.phase("Traceback") == ""


def test_registered_and_tuned_trials_of_a_seed_are_told_apart(trial_row):
    rows = [trial_row(digest="a", setting="s1"), trial_row(digest="b", setting="s2"), trial_row(digest="c", overrides=("method.p=4",))]
    assert runs.settings(rows, {"s2": "tuned with 4 trials"}) == {"a": "as registered", "b": "tuned with 4 trials", "c": ""}
    assert runs.settings(rows, {}) == {}, "then there is nothing to tell"
