"""The queue: who may take a trial, and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_fakes import expected, make_trial, outcome_of

from harness.outcome import Cost, Outcome
from harness.store import Lease, Store, base, process, queue

HERE = process.new_lease()
ELSEWHERE = Lease(token="f" * 32, host="another machine", pid=1, process_start="1")


def test_planning_twice_adds_nothing(store: Store):
    trials = [make_trial(n) for n in range(3)]
    store.plan(trials)
    store.plan([*trials, make_trial(3)])
    assert list(store.states().values()) == ["planned"] * 4


def test_what_is_registered_now_is_no_override_any_more(store: Store):
    store.plan([make_trial(1, overrides=("schedule.epochs=3",)), make_trial(2, overrides=("a=1",))])
    assert store.trials()[0].overrides
    store.plan([make_trial(1)])
    assert {row.method: row.overrides for row in store.trials()} == {"method-1": (), "method-2": ("a=1",)}
    store.plan([make_trial(1, overrides=("schedule.epochs=3",))])
    assert {row.method: row.overrides for row in store.trials()}["method-1"] == ()


def test_a_trial_is_taken_once_and_in_the_order_given(store: Store, tmp_path: Path):
    trials = [make_trial(n) for n in range(3)]
    store.plan(trials)
    order = [trials[2].digest, trials[0].digest, trials[1].digest]
    assert [store.claim(order, HERE, tmp_path) for _ in range(4)] == [*order, None]
    row = store.trials(digests=order[:1])[0]
    assert (row.state, row.alive, row.attempts, row.pid) == ("running", True, 1, os.getpid())


def test_many_threads_take_every_trial_exactly_once(store: Store, tmp_path: Path):
    trials = [make_trial(n) for n in range(24)]
    store.plan(trials)
    taken: list[str] = []

    def take() -> None:
        own = process.new_lease()
        while digest := store.claim([t.digest for t in trials], own, tmp_path):
            taken.append(digest)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(t.digest for t in trials)


def test_a_result_is_whole_and_needs_the_lease(store: Store, tmp_path: Path):
    trial = make_trial()
    store.plan([trial])
    store.claim([trial.digest], HERE, tmp_path)
    assert not store.finish(trial.digest, "someone else's", outcome_of(trial))
    assert store.results() == []
    assert store.finish(trial.digest, HERE.token, outcome_of(trial))
    assert not store.finish(trial.digest, HERE.token, outcome_of(trial))
    (result,) = store.results()
    assert dict(result.metrics) == expected(trial)
    assert result.diagnostics["entropy"] != result.diagnostics["entropy"]
    assert (result.notes, result.labels) == (("a note",), {"map": "class activation"})
    assert result.cost == Cost(params=1234, flops=1e6, latency_ms=0.5)
    assert store.per_sample()[trial.digest]["correct"].tolist() == outcome_of(trial).per_sample["correct"].tolist()
    assert store.environments()[result.environment_digest] == {"device": "cpu"}
    assert store.config(result.config_digest) == trial.config


def test_a_result_that_cannot_be_stored_whole_leaves_nothing(store: Store, tmp_path: Path):
    trial = make_trial()
    store.plan([trial])
    store.claim([trial.digest], HERE, tmp_path)
    with pytest.raises(TypeError):
        store.finish(trial.digest, HERE.token, Outcome(metrics={"a": 1.0, "b": "no number"}, cost=Cost()))
    assert store.states() == {trial.digest: "running"}
    assert store.results() == []


def test_only_a_trial_that_runs_is_alive(store: Store, tmp_path: Path):
    trial = make_trial()
    store.plan([trial])
    store.claim([trial.digest], HERE, tmp_path)
    with store._write() as connection:  # whoever wrote that left the lease
        connection.execute(sa.text("UPDATE trials SET state = 'planned'"))
    row = store.trials()[0]
    assert (row.state, row.pid, row.alive) == ("planned", os.getpid(), False)


def test_a_lease_is_void_once_its_process_is_gone(store: Store, tmp_path: Path):
    trial = make_trial()
    store.plan([trial])
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = Lease("a" * 32, process.host(), gone.pid, process.started(gone.pid))
    assert store.claim([trial.digest], theirs, tmp_path)
    assert store.claim([trial.digest], HERE, tmp_path) is None
    gone.communicate(b"\n")
    assert not store.trials()[0].alive
    assert store.claim([trial.digest], HERE, tmp_path) == trial.digest
    assert not store.finish(trial.digest, theirs.token, outcome_of(trial))
    assert not store.fail(trial.digest, theirs.token, "error", "late")
    assert not store.release(trial.digest, theirs.token)


def test_another_process_with_the_same_number_does_not_hold_the_lease(store: Store, tmp_path: Path):
    trial = make_trial()
    store.plan([trial])
    store.claim([trial.digest], replace(HERE, token="b" * 32, process_start="1"), tmp_path)
    assert store.claim([trial.digest], HERE, tmp_path) == trial.digest


def test_a_stopped_process_holds_its_lease_until_that_expires(store: Store, tmp_path: Path, monkeypatch):
    trial, clock = make_trial(), [1000.0]
    monkeypatch.setattr(queue, "clock", lambda connection: clock[0])
    store.plan([trial])
    stopped = subprocess.Popen(["sleep", "60"])
    try:
        theirs = Lease("a" * 32, process.host(), stopped.pid, process.started(stopped.pid))
        assert store.claim([trial.digest], theirs, tmp_path)
        os.kill(stopped.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED)
        assert store.claim([trial.digest], HERE, tmp_path) is None
        assert process.holder(store.trials()[0]) == f"process {stopped.pid}, which is stopped"
        clock[0] += queue.EXPIRY + 1
        os.kill(stopped.pid, signal.SIGCONT)
        os.waitid(os.P_PID, stopped.pid, os.WCONTINUED)
        assert store.claim([trial.digest], HERE, tmp_path) is None, "it is slow, but it goes on"
        os.kill(stopped.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED)
        assert store.claim([trial.digest], HERE, tmp_path) == trial.digest
    finally:
        stopped.kill()
        stopped.wait()


def test_on_other_machines_a_lease_lasts_as_long_as_its_heartbeat(store: Store, tmp_path: Path, monkeypatch):
    trial = make_trial()
    store.plan([trial])
    clock = [1000.0]
    monkeypatch.setattr(queue, "clock", lambda connection: clock[0])
    store.claim([trial.digest], ELSEWHERE, tmp_path)
    clock[0] += queue.EXPIRY - 1
    store.renew(ELSEWHERE)
    clock[0] += queue.EXPIRY - 1
    assert store.claim([trial.digest], HERE, tmp_path) is None
    clock[0] += 2
    assert store.claim([trial.digest], HERE, tmp_path) == trial.digest


def test_a_machine_whose_clock_is_wrong_takes_nothing_and_loses_nothing(url: str, store: Store, tmp_path: Path, monkeypatch):
    if url.startswith("sqlite"):
        pytest.skip("a SQLite database has the clock of the machine that it is on")
    right = base.time.time
    trials = [make_trial(n) for n in range(2)]
    store.plan(trials)
    for trial, wrong_by in zip(trials, (300.0, -300.0), strict=True):
        with monkeypatch.context() as there:
            there.setattr(base.time, "time", lambda wrong_by=wrong_by: right() + wrong_by)
            assert store.claim([trial.digest], ELSEWHERE, tmp_path) == trial.digest
            store.renew(ELSEWHERE)
        assert store.trials(digests=[trial.digest])[0].alive
        assert store.claim([trial.digest], HERE, tmp_path) is None
        with monkeypatch.context() as here:
            here.setattr(base.time, "time", lambda: right() + 300.0)
            assert store.trials(digests=[trial.digest])[0].alive
            assert store.claim([trial.digest], HERE, tmp_path) is None


def test_failed_trials_are_planned_again_only_when_asked(store: Store, tmp_path: Path):
    trial = make_trial()
    store.plan([trial])
    store.claim([trial.digest], HERE, tmp_path)
    store.fail(trial.digest, HERE.token, "no-result", "the loss is nan\0 \ud800")
    row = store.trial(trial.digest[:6])
    assert (row.state, row.kind, row.reason) == ("failed", "no-result", "the loss is nan ?")
    store.plan([trial])
    assert store.claim([trial.digest], HERE, tmp_path) is None
    store.plan([trial], retry_failed=True)
    assert store.claim([trial.digest], HERE, tmp_path) == trial.digest


def test_what_is_done_is_not_planned_again_with_the_failed(store: Store, tmp_path: Path):
    trials = [make_trial(n) for n in range(2)]
    store.plan(trials)
    store.claim([trials[0].digest], HERE, tmp_path)
    store.finish(trials[0].digest, HERE.token, Outcome({"top1": 50.0}, Cost()))
    store.claim([trials[1].digest], HERE, tmp_path)
    store.fail(trials[1].digest, HERE.token, "nan", "the loss is nan")
    store.plan(trials, retry_failed=True)
    assert {trial.digest: store.trial(trial.digest).state for trial in trials} == {trials[0].digest: "done", trials[1].digest: "planned"}


def test_each_config_is_its_own(store: Store):
    trials = [replace(make_trial(n), config_digest=f"{n:032x}", config={"n": n}) for n in range(1, 4)]
    store.plan(trials)
    assert [store.config(trial.config_digest) for trial in trials] == [{"n": n} for n in range(1, 4)]
    assert store.config("0" * 32) == store.config("f" * 32) == {}
