"""kill -9 at any moment, of trials and of whole runs, loses and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from engine_fakes import expected, make_plan, sleeping

from harness.compose.plan import Plan
from harness.engine.run import run_plan
from harness.store import open_store

KILLS = 50


def _start(plan: Plan, url: str, folder: Path) -> int:
    """The process id of a run in the background."""
    parent = os.fork()
    if parent:
        return parent
    try:
        summary = run_plan(plan, url, data_dirs={"fake": folder}, workers=3, device="cpu", results_dir=folder, trial_function=sleeping(0.3))
        os._exit(summary.exit_code)
    finally:
        os._exit(9)


def _children(parent: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children through /proc")
def test_fifty_kills_at_random_moments(tmp_path: Path):
    url, dice, plan = f"sqlite:///{tmp_path}/harness.db", random.Random(0), make_plan(40)
    kills, runs, parent = 0, 0, None
    while kills < KILLS:
        if parent is None:
            parent, runs = _start(plan, url, tmp_path), runs + 1
        time.sleep(dice.uniform(0.0, 0.4))
        victims = [parent] if dice.random() < 0.4 else _children(parent)
        if victims:
            try:
                os.kill(dice.choice(victims), signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        if os.waitpid(parent, os.WNOHANG)[0] or (victims == [parent] and os.waitpid(parent, 0)[0]):
            parent = None
        states = list(open_store(url, read_only=True).states().values())
        if states and set(states) == {"done"}:  # it was faster than the killer: more work for both
            plan = make_plan(len(plan.trials) + 20)
    if parent is not None:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)

    last = _start(plan, url, tmp_path)
    assert os.waitstatus_to_exitcode(os.waitpid(last, 0)[1]) == 0
    results = open_store(url, read_only=True).results()
    assert {r.digest: dict(r.metrics) for r in results} == {t.digest: expected(t) for t in plan.trials}
    assert len(results) == len(plan.trials) and runs > 5
