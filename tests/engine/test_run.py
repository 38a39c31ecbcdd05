"""run_plan with trials that cost nothing: every way a trial can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import expected, make_plan, make_trial, outcome_of, sleeping, starts

from harness.compose import Trial
from harness.compose.plan import Plan
from harness.engine import child, pulse
from harness.engine.launchers import local
from harness.engine.progress import Estimate, Event
from harness.engine.run import Summary, run_plan
from harness.engine.signals import interruptible
from harness.errors import TrialError, UsageError
from harness.outcome import Outcome
from harness.store import Lease, Store, StoreError, open_store, process

Run = Callable[..., Summary]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/harness.db"


@pytest.fixture
def run(tmp_path: Path, url: str) -> Run:
    def run(plan: Plan, function: Callable[..., Outcome], **options: Any) -> Summary:
        options = {"workers": 2, "device": "cpu", "results_dir": tmp_path, **options}
        return run_plan(plan, url, data_dirs={"fake": tmp_path}, trial_function=function, **options)

    return run


def read(url: str) -> Store:
    return open_store(url, read_only=True)


def log(tmp_path: Path, trial: Trial) -> str:
    return (tmp_path / "trials" / trial.digest / "log.txt").read_text()


def test_every_trial_is_done_once_and_the_second_run_does_nothing(run: Run, url: str, tmp_path: Path):
    plan = make_plan(6)
    first = run(plan, sleeping(0.01))
    assert (first.total, first.ran, first.done, first.exit_code) == (6, 6, 6, 0)
    again = run(plan, sleeping(0.01), workers=1)
    assert (again.ran, again.done, again.exit_code) == (0, 6, 0)
    assert {r.digest: dict(r.metrics) for r in read(url).results()} == {t.digest: expected(t) for t in plan.trials}
    assert [starts(tmp_path, trial) for trial in plan.trials] == [1] * 6


def test_a_trial_that_leaves_its_folder_is_recorded_where_the_others_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def leave(trial: Trial, **_: Any) -> Outcome:
        os.chdir(tmp_path / "elsewhere")
        return outcome_of(trial)

    plan = make_plan(2)
    options = {"workers": 1, "device": "cpu", "results_dir": Path("results")}
    done = run_plan(plan, "sqlite:///h.db", data_dirs={"fake": tmp_path}, trial_function=leave, **options)
    assert (done.done, done.exit_code, list((tmp_path / "elsewhere").iterdir())) == (2, 0, [])


def test_only_new_trials_of_a_wider_plan_are_run(run: Run):
    run(make_plan(2), sleeping(0))
    wider = run(make_plan(5), sleeping(0))
    assert (wider.ran, wider.done) == (3, 5)


def test_long_trials_start_first(run: Run):
    plan = Plan([make_trial(n, cost=float(cost)) for n, cost in enumerate([1, 9, 5])], {})
    started = []
    run(plan, sleeping(0), workers=1, on_event=lambda e: started.append(e.trial.cost) if e.kind == "started" else None)
    assert started == [9, 5, 1]


def test_a_stage_waits_for_the_trial_before_it_and_only_that(run: Run, url: str):
    first, other = make_trial(0, cost=5), make_trial(1, cost=1)
    stage = make_trial(2, cost=9, before=first.digest)
    last = make_trial(3, cost=8, before=stage.digest)
    told = []
    plan = Plan([last, stage, other, first], {})
    summary = run(plan, sleeping(0.2), on_event=lambda e: told.append((e.kind, e.trial)) if e.trial else None)
    assert summary.done == 4
    for one, before in ((stage, first), (last, stage)):
        assert told.index(("started", one)) > told.index(("done", before))
    assert told.index(("started", other)) < told.index(("done", first)), "who waits for nothing is not held up"
    unknown = make_trial(4, before="0123456789abcdef")
    assert run(Plan([unknown], {}), sleeping(0)).done == 1, "a trial of elsewhere may have left its file"


def test_what_comes_after_a_trial_that_failed_is_left_to_the_next_run(run: Run, url: str):
    first = make_trial(0)
    stage = make_trial(1, before=first.digest)
    plan = Plan([first, stage, make_trial(2, before=stage.digest)], {})
    good = False

    def function(trial: Trial, **where: Any) -> Outcome:
        if trial == first and not good:
            raise TrialError("bad luck")
        return outcome_of(trial)

    summary = run(plan, function)
    assert ([row.digest for row in summary.failed], len(summary.missing), summary.exit_code) == ([first.digest], 2, 3)
    assert all("did not end well" in summary.reasons[row.digest] for row in summary.missing)
    good = True
    assert run(plan, function, retry_failed=True).done == 3


def test_one_bad_trial_ends_alone_with_its_reason(run: Run, url: str, tmp_path: Path):
    def function(trial: Trial, **where: Any) -> Outcome:
        match trial.config["number"]:
            case 0:
                raise TrialError("the loss is nan in epoch 1, iteration 7")
            case 1:
                print("half a line", end="")
                raise ValueError("two\nlines")
            case 2:
                os._exit(7)
            case 3:
                os.kill(os.getpid(), signal.SIGSEGV)
            case 4:
                sys.exit("a plugin left")
        os.write(2, b"straight to the descriptor\n")
        return outcome_of(trial)

    plan = make_plan(6)
    summary = run(plan, function)
    rows = {row.method: row for row in read(url).trials()}
    assert [(rows[f"method-{n}"].kind, rows[f"method-{n}"].reason) for n in range(6)] == [
        ("no-result", "the loss is nan in epoch 1, iteration 7"),
        ("error", "ValueError: two lines"),
        ("crash", "its process ended with exit code 7 and without a word"),
        ("crash", "crashed with SIGSEGV"),
        ("error", "SystemExit: a plugin left"),
        (None, None),
    ]
    assert (summary.done, len(summary.failed), summary.exit_code) == (1, 5, 3)
    assert "half a line" in log(tmp_path, plan.trials[1]) and "Traceback" in log(tmp_path, plan.trials[1])
    assert "straight to the descriptor" in log(tmp_path, plan.trials[5])

    assert run(plan, sleeping(0)).ran == 0
    assert run(plan, sleeping(0), retry_failed=True).done == 6


def test_out_of_memory_halves_the_batch_until_nothing_is_left(run: Run, url: str):
    def function(trial: Trial, *, batch_divisor: int, **where: Any) -> Outcome:
        if batch_divisor < 4 or trial.config["number"] == 1:
            raise MemoryError("no more")
        outcome = outcome_of(trial)
        outcome.notes.append(f"batches {batch_divisor} times smaller")
        return outcome

    kinds = []
    config = {"train_dataloader": {"batch_size": 4}}
    summary = run(make_plan(2, config=config), function, workers=1, on_event=lambda event: kinds.append(event.kind))
    (result,) = read(url).results()
    assert result.notes == ("a note", "batches 4 times smaller")
    assert [(row.kind, row.attempts) for row in summary.failed] == [("out-of-memory", 1)]
    assert kinds.count("again") == 4


@pytest.mark.parametrize(("batch", "devices", "halved"), [(1, 1, 0), (3, 1, 1), (4, 2, 1), (2, 2, 0)])
def test_a_batch_that_cannot_be_halved_ends_the_trial(run: Run, batch: int, devices: int, halved: int):
    """Each device has one image of it, or one would have less."""

    def function(trial: Trial, **where: Any) -> Outcome:
        raise MemoryError("no more")

    kinds = []
    plan = make_plan(1, config={"train_dataloader": {"batch_size": batch}})
    summary = run(plan, function, workers=1, device="cpu", gpus_per_trial=devices, on_event=lambda event: kinds.append(event.kind))
    assert [row.kind for row in summary.failed] == ["out-of-memory"] and kinds.count("again") == halved


@pytest.mark.parametrize("recompute", [False, True])
def test_who_runs_out_of_memory_beside_others_waits_and_is_tried_whole(run: Run, url: str, tmp_path: Path, recompute: bool):
    """The others' shortage must not change a trial's batches."""
    place, tried = tmp_path / "running", tmp_path / "tried"
    place.mkdir()

    def until(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)

    def function(trial: Trial, *, batch_divisor: int, **where: Any) -> Outcome:
        mine = place / trial.digest
        mine.touch()
        try:
            if trial.config["number"] == 0:
                if not tried.exists():
                    until(lambda: len([*place.iterdir()]) > 1)
                    tried.touch()
                if len([*place.iterdir()]) > 1:
                    raise MemoryError("no more")
            else:
                until(tried.exists)
                time.sleep(0.5)
        finally:
            mine.unlink()
        outcome = outcome_of(trial)
        outcome.notes.append(f"divided by {batch_divisor}")
        return outcome

    said = []
    summary = run(make_plan(3), function, workers=3, recompute=recompute, on_event=lambda event: said.append(event.message))
    notes = {row.method: row.notes for row in read(url).results()}
    assert summary.done == 3 and notes["method-1"] == notes["method-2"] == ("a note", "divided by 1")
    assert notes["method-0"] == (
        "ran out of memory beside other trials on the device, and was run again alone there",
        "a note",
        "divided by 1",
    )
    assert [text for text in said if "waits until the device is free" in text]


def test_who_runs_out_of_memory_on_a_gpu_first_remembers_less_and_says_so(run: Run, url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.engine.prepare.devices", lambda *_: {"cuda:0": 1 << 33})

    def function(trial: Trial, *, recompute: bool = False, **where: Any) -> Outcome:
        if not recompute:
            raise MemoryError("no more")
        return outcome_of(trial)

    assert run(make_plan(1, config={"train_dataloader": {"batch_size": 4}}), function, workers=1).done == 1
    (result,) = read(url).results()
    assert result.notes == ("ran out of memory; the backbone's activations were computed again for the backward pass", "a note")


@pytest.mark.parametrize("own", [True, False])
def test_a_trial_over_its_time_limit_is_stopped_with_all_its_processes(run: Run, tmp_path: Path, own: bool):
    def function(trial: Trial, *, work_dir: Path, **where: Any) -> Outcome:
        if trial.config["number"] == 0:
            helper = subprocess.Popen(["sleep", "60"])
            (work_dir / "helper").write_text(str(helper.pid))
            time.sleep(60)
        return outcome_of(trial)

    plan = make_plan(2, time_limit=0.5 if own else None)
    summary = run(plan, function, time_limit=None if own else 0.5)
    (row,) = summary.failed
    assert (row.kind, row.reason) == ("timeout", "stopped after 0.5 s, its time limit")
    assert summary.done == 1
    helper = int((tmp_path / "trials" / plan.trials[0].digest / "helper").read_text())
    for _ in range(100):
        if not Path(f"/proc/{helper}").exists() or "Z" in Path(f"/proc/{helper}/stat").read_text().split()[2]:
            break
        time.sleep(0.02)
    else:
        pytest.fail("the helper process lives on")


def test_a_trial_without_a_sign_of_life_is_stopped(run: Run, monkeypatch):
    monkeypatch.setattr(local, "SILENCE", 2.0)

    def function(trial: Trial, **where: Any) -> Outcome:
        match trial.config["number"]:
            case 0:
                time.sleep(60)
            case 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            case 2:
                for _ in range(30):
                    time.sleep(0.1)
                    pulse.beat()
        return outcome_of(trial)

    summary = run(make_plan(3), function, workers=3)
    assert [row.method for row in summary.failed] == ["method-0", "method-1"]
    said = {(row.kind, row.reason) for row in summary.failed}
    assert said == {("timeout", "stopped after 2 s without a sign of life: no forward pass ended")}


def test_a_trial_that_is_expected_to_take_long_may_be_silent_long(run: Run, monkeypatch):
    monkeypatch.setattr(local, "SILENCE", 0.2)
    assert run(make_plan(1, cost=60.0), sleeping(1.0)).done == 1


def test_a_run_that_was_stopped_itself_blames_no_trial(run: Run, monkeypatch):
    monkeypatch.setattr(local, "SILENCE", 2.0)
    monkeypatch.setattr(local, "_TICK", 0.1)
    parent = os.getpid()

    def function(trial: Trial, **where: Any) -> Outcome:
        os.kill(parent, signal.SIGSTOP)
        time.sleep(3)
        os.kill(parent, signal.SIGCONT)
        time.sleep(0.2)  # and it looks at what it missed
        return outcome_of(trial)

    assert run(make_plan(1), function).done == 1


def test_whatever_ends_a_run_ends_what_its_trials_started(run: Run, tmp_path: Path):
    def function(trial: Trial, *, work_dir: Path, **where: Any) -> Outcome:
        helper = subprocess.Popen(["sleep", "60"])
        (work_dir / "helper.part").write_text(str(helper.pid))
        (work_dir / "helper.part").rename(work_dir / "helper")
        time.sleep(60)
        return outcome_of(trial)

    plan = make_plan(2)
    other = os.fork()
    if other == 0:
        try:
            run(plan, function)
        finally:
            os._exit(9)
    files = [tmp_path / "trials" / trial.digest / "helper" for trial in plan.trials]
    while not all(file.is_file() for file in files):
        time.sleep(0.02)
    helpers = [int(file.read_text()) for file in files]
    assert all(process.started(helper) for helper in helpers)
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    for _ in range(500):
        if not any(process.started(helper) for helper in helpers):
            break
        time.sleep(0.02)
    assert [process.started(helper) for helper in helpers] == [None, None]


def test_a_result_that_went_to_another_database_is_not_waited_for(run: Run, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(child, "open_store", lambda url: open_store(f"sqlite:///{tmp_path}/another.db"))
    summary = run(make_plan(1), sleeping(0))
    (row,) = summary.missing
    assert row.state == "planned" and "found the database without its lease" in summary.reasons[row.digest]


def test_who_holds_the_trials_that_are_waited_for_is_said(run: Run, url: str, tmp_path: Path):
    plan, store = make_plan(1), open_store(url)
    store.plan(plan.trials)
    held = subprocess.Popen(["sleep", "60"])
    store.claim([plan.trials[0].digest], Lease("a" * 32, process.host(), held.pid, process.started(held.pid)), tmp_path)
    said = []

    def listen(event: Event) -> None:
        if event.kind == "waiting":
            said.append(event.message)
            held.kill()
            held.wait()

    assert run(plan, sleeping(0), on_event=listen).done == 1
    assert said == [f"for process {held.pid}; trials left there: 1"]


def test_a_killed_trial_is_tried_again_and_then_left_to_the_next_run(run: Run, url: str, tmp_path: Path):
    def function(trial: Trial, *, work_dir: Path, **where: Any) -> Outcome:
        tries = work_dir / "tries"
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        if len(tries.read_text()) < (2 if trial.config["number"] == 0 else 4):
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome_of(trial)

    plan = make_plan(2)
    summary = run(plan, function)
    (row,) = summary.missing
    assert (row.method, row.state, row.kind, row.attempts) == ("method-1", "planned", "killed", local.TRIES)
    assert "killed by SIGKILL, 3 times" in summary.reasons[row.digest]
    assert (summary.done, summary.exit_code) == (1, 3)
    assert run(plan, function).done == 2


def test_a_database_that_cannot_take_a_result_costs_that_trial_only(run: Run, url: str, monkeypatch):
    monkeypatch.setattr(child, "_PATIENCE", ())
    finish = Store.finish

    def refusing(self: Store, digest: str, token: str, outcome: Outcome) -> bool:
        if digest == plan.trials[0].digest:
            raise StoreError("the database cannot be written: disk full. Free some space, then run the same command again.")
        return finish(self, digest, token, outcome)

    plan = make_plan(3)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish", refusing)
        summary = run(plan, sleeping(0))
    assert [row.digest for row in summary.missing] == [plan.trials[0].digest]
    assert "disk full" in summary.reasons[plan.trials[0].digest]
    assert (summary.done, summary.exit_code) == (2, 3)
    assert run(plan, sleeping(0)).done == 3


def test_a_database_that_is_gone_ends_the_run_with_its_reason(run: Run, monkeypatch):
    monkeypatch.setattr(local, "_STORE_PAUSE", 0.01)
    warnings: list[Event] = []

    def broken(*_: Any) -> None:
        raise StoreError("connection lost")

    monkeypatch.setattr(Store, "claim", broken)
    with pytest.raises(StoreError, match="connection lost"):
        run(make_plan(2), sleeping(0), on_event=warnings.append)
    assert sum(event.kind == "warning" for event in warnings) == 4


def test_two_runs_share_the_work(run: Run, url: str, tmp_path: Path):
    plan = make_plan(12)
    other = os.fork()
    if other == 0:
        try:
            os._exit(run(plan, sleeping(0.1)).exit_code)
        finally:
            os._exit(9)
    summary = run(plan, sleeping(0.1))
    assert os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) == 0
    assert summary.done == 12 and 0 < summary.ran < 12
    assert [starts(tmp_path, trial) for trial in plan.trials] == [1] * 12
    assert all(row.attempts == 1 for row in read(url).trials())


def test_an_interrupted_run_stops_its_trials_and_gives_them_back(run: Run, url: str):
    plan = make_plan(3)

    def interrupt(event: Event) -> None:
        if event.kind == "started":
            os.kill(os.getpid(), signal.SIGTERM)

    began = time.monotonic()
    summary = run(plan, sleeping(30), on_event=interrupt)
    assert time.monotonic() - began < 15
    assert (summary.interrupted, summary.exit_code, len(summary.missing)) == (True, 130, 3)
    assert set(read(url).states().values()) == {"planned"}
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt), interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_plugin_that_does_not_import_fails_only_the_trials_that_need_it(run: Run, tmp_path: Path, monkeypatch):
    from harness.benchmarks import register
    from harness.catalog.plugins import PluginFile
    from harness.catalog.sources import file_digest

    monkeypatch.setattr(register, "setup", lambda: None)
    monkeypatch.setitem(sys.modules, "harness.engine.trial", type(sys)("fake"))
    sys.modules["harness.engine.trial"].run_trial = sleeping(0)
    monkeypatch.setattr(child, "_kind", lambda error: "error")
    (tmp_path / "bad.py").write_text("import no_such_module")
    file = PluginFile(tmp_path / "bad.py", "--plugin", "bad_plugin", {"bad": "pooling"})
    (tmp_path / "killer.py").write_text("import os\nos._exit(7)")
    killer = PluginFile(tmp_path / "killer.py", "--plugin", "killer_plugin", {"killer": "pooling"})
    plan = Plan([make_trial(0, cost=2.0), make_trial(1, cost=3.0), make_trial(2)], {})
    object.__setattr__(plan.trials[0], "plugins", {"bad": file_digest(file.path, file.module)})
    object.__setattr__(plan.trials[1], "plugins", {"killer": file_digest(killer.path, killer.module)})
    summary = run(plan, None, plugin_files=[file, killer])
    killed, broken = sorted((row.reason for row in summary.failed), key=lambda reason: "bad.py" in reason)
    assert "bad.py cannot be imported" in broken and "no_such_module" in broken
    assert "killer.py: importing it ends the process (exit code 7)" in killed
    assert summary.done == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "--workers 0"),
        ({"time_limit": -1.0}, "--time-limit -1"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"results_dir": Path("/proc/none")}, "cannot create the folder"),
    ],
)
def test_wrong_options_are_refused(run: Run, options: dict[str, Any], says: str):
    with pytest.raises(UsageError, match=says):
        run(make_plan(1), sleeping(0), **options)


def test_nothing_to_do_imports_nothing_heavy(tmp_path: Path, run: Run, url: str):
    plan = make_plan(2)
    run(plan, sleeping(0))
    code = (
        "import sys; from pathlib import Path; from engine_fakes import make_plan; from harness.engine.run import run_plan;"
        f"summary = run_plan(make_plan(2), {url!r}, data_dirs={{'fake': Path('.')}}, results_dir=Path({str(tmp_path)!r}));"
        "assert summary.done == 2; print([m for m in ('torch', 'mmengine', 'mmpretrain') if m in sys.modules])"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_estimate_learns_from_what_trials_took():
    estimate, trial = Estimate(), ("fake", 10.0)
    assert estimate.left([trial, trial], [], workers=2) == 10.0
    estimate.learn(*trial, 20.0)
    assert estimate.left([trial] * 4, [(*trial, 5.0)], workers=2) == pytest.approx((4 * 20 + 15) / 2)
    assert estimate.left([trial], [], workers=8) == 20.0
    assert estimate.left([("another", 1.0)], [], workers=1) == 2.0
    assert estimate.left([], [], workers=1) is None


OUTSIDE = """
from harness.engine.launchers import Launched


def launch(store, trials, settings, function, tally):
    return Launched(unsaved={trial.digest: "nobody here" for trial in trials})
"""


def test_an_outside_package_brings_a_launcher(tmp_path, monkeypatch):
    from importlib.metadata import EntryPoint

    from harness.engine import launchers

    (tmp_path / "outside_launcher.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(name, "outside_launcher", "harness.launchers") for name in ("mine", "local")]
    monkeypatch.setattr(launchers, "entry_points_of", lambda group: points)
    plan, url = make_plan(2), f"sqlite:///{tmp_path}/h.db"
    summary = run_plan(plan, url, data_dirs={"fake": tmp_path}, device="cpu", results_dir=tmp_path, trial_function=print, launch_by="mine")
    assert len(summary.missing) == 2 and set(summary.reasons.values()) == {"nobody here"}
    assert launchers.names()["local"] == "harness.engine.launchers.local", "a shipped name cannot be taken"
    with pytest.raises(UsageError, match="unknown launcher 'mined'"):
        run_plan(plan, url, data_dirs={"fake": tmp_path}, launch_by="mined")


def test_no_more_trials_are_begun_than_were_asked_for(run: Run, url: str):
    plan = make_plan(5)
    some = run(plan, sleeping(0), most=2, workers=3)
    assert (some.begun, some.ran, len(some.missing)) == (2, 2, 3)
    late = run(plan, sleeping(0), until=time.monotonic())
    assert (late.begun, len(late.missing)) == (0, 3)
    assert run(plan, sleeping(0), queued=True).ran == 3
