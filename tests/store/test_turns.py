"""Blocks that one process at a time is in; floors of runs that begin together."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from harness.engine import prepare
from harness.store import Store, open_store, turns


def forked(function: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return pid


def ended(*pids: int) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def test_one_process_at_a_time_is_in_a_block(url: str, tmp_path: Path):
    open_store(url)
    counter, others = tmp_path / "counter", tmp_path / "others"
    for file in (counter, others):
        file.write_text("0")

    def count(file: Path) -> None:
        with open_store(url).turn(file.name):
            before = int(file.read_text())
            time.sleep(0.05)
            file.write_text(str(before + 1))

    assert ended(*(forked(lambda file=file: count(file)) for file in (counter, others) * 4)) == [0] * 8
    assert (counter.read_text(), others.read_text()) == ("4", "4")


def test_who_is_killed_is_out_and_who_is_stopped_is_not_waited_for_without_end(store: Store, url: str, tmp_path: Path, monkeypatch):
    def stay() -> None:
        with open_store(url).turn("x"):
            (tmp_path / "in").touch()
            time.sleep(600)

    for number in (signal.SIGKILL, signal.SIGSTOP):
        pid = forked(stay)
        while not (tmp_path / "in").exists():
            time.sleep(0.01)
        (tmp_path / "in").unlink()
        monkeypatch.setattr(turns, "PATIENCE", 600.0 if number == signal.SIGKILL else 0.3)
        os.kill(pid, number)
        with store.turn("x"):
            pass
        os.kill(pid, signal.SIGKILL)
        ended(pid)


def test_runs_that_begin_together_compute_a_floor_once(store: Store, url: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(prepare, "unchanged", lambda *_: None)

    def floor(_folder: Path) -> dict[str, float]:
        with (tmp_path / "computed").open("a") as stream:
            stream.write("x")
        time.sleep(0.2)
        return {"top1": 10.0, "top5": 50.0}

    task, trial = SimpleNamespace(id="b", floor=floor), SimpleNamespace(benchmark="b", version=1, dataset="d", task="t")
    plan = SimpleNamespace(tasks={"b": task}, trials=[trial])

    def run() -> None:
        complaints: list[str] = []
        with prepare.Floors(plan, {"b": tmp_path}, open_store(url), complaints.append):  # type: ignore[arg-type]
            pass
        assert not complaints and {some.metric: some.value for some in open_store(url).floors()} == {"top1": 10.0, "top5": 50.0}

    assert ended(*(forked(run) for _ in range(4))) == [0] * 4
    assert (tmp_path / "computed").read_text() == "x"
