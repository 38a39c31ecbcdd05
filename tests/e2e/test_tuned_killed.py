"""Real trials, tuned from the command line; the run is killed between its phases and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.store import open_store

REGISTRY = """
benchmarks:
  tiny:
    family: classification
    tier: synthetic
    data: {format: synthetic, train: 24, test: 12, size: 32, val: 12}
    schedule: {epochs: 1, batch_size: 12}
    cost: 2
"""

RUN = ["run", "-b", "tiny", "-m", "gap", "-m", "vit-cls", "--tune", "2", "--seeds", "2", "--device", "cpu", "--workers", "1"]


def harness(folder: Path, *args: str) -> subprocess.Popen:
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "harness", *args]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(600)
def test_a_run_that_is_killed_between_its_phases_goes_on_with_the_second(tmp_path):
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    url = f"sqlite:///{tmp_path}/results/harness.db"
    first = harness(tmp_path, *RUN)
    while first.poll() is None:
        if any(row.state == "running" and not row.purpose for row in open_store(url, read_only=True).trials()):
            first.send_signal(signal.SIGKILL)
        time.sleep(0.05)
    assert first.returncode == -signal.SIGKILL, first.communicate()

    second = harness(tmp_path, *RUN)
    out, err = second.communicate()
    assert second.returncode == 0, err
    assert "top1 [%], higher is better · tuned with 2 trials" in out and "4 of 4 tuning trials are done (4 were before)" in err

    store = open_store(url, read_only=True)
    rows = store.trials()
    assert [row.state for row in rows] == ["done"] * 8
    assert sorted((row.method, row.purpose, row.seed) for row in rows) == sorted(
        (method, *some) for method in ("gap", "vit-cls") for some in [("tuning", 1000), ("tuning", 1000), ("", 0), ("", 1)]
    )
    assert {row.attempts for row in rows if row.purpose} == {1} and max(row.attempts for row in rows) == 2
    for row in rows:
        if row.purpose:
            continue
        tuning = store.config(row.tuning)
        points = [point["validation"][0] for point in tuning["points"]]
        for point, value in zip(tuning["points"], points, strict=True):
            (trial,) = point["trials"]
            assert store.curves([trial])[trial]["val/top1"][-1, 1] == value and store.results(purposes=["tuning"], digests=[trial])
        assert tuning["winner"] == points.index(max(points))
        lr = store.config(row.config_digest)["optim_wrapper"]["optimizer"]["lr"]
        assert lr == tuning["points"][tuning["winner"]]["values"].get("schedule.lr", 0.001)
    board, _ = harness(tmp_path, "leaderboard", "--format", "json").communicate()
    digests = {digest for row in json.loads(board)["rows"] for digest in row["digests"]}
    assert digests == {row.digest for row in rows if not row.purpose}
