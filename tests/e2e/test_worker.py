"""Trials planned by one command line are run by others, on what is the same trial there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.compose.again import Registered
from harness.engine.worker import batches
from harness.errors import UsageError
from harness.store import open_store

REGISTRY = (
    (Path(__file__).parents[1] / "tiny.yaml").read_text()
    + """
  photos:
    family: classification
    data: {format: image-folder, root: photos, classes: [cat, dog]}
    model: {backbone: resnet-narrow}
    schedule: {epochs: 1, batch_size: 4}
    cost: 2
"""
)

PLUGIN = """
import torch
from harness.slots import attention_method


@attention_method("mean-plus-max", slot="pooling")
class MeanPlusMax(torch.nn.Module):
    def __init__(self, channels: int):
        super().__init__()

    def forward(self, x):
        return (x.mean((2, 3)) + x.amax((2, 3))) / 2
"""

URL = "sqlite:///results/harness.db"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a registry, a plugin and a dataset."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text(PLUGIN)
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            place = tmp_path / "data" / "photos" / split / label
            place.mkdir(parents=True)
            for number in range(6):
                pixels = np.random.default_rng([len(split), len(label), number]).integers(0, 255, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path


def harness(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *args], capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"})


def plan(*args: str) -> None:
    """``harness run --plan-only`` in this process."""
    from click.testing import CliRunner

    from harness.cli import main

    result = CliRunner().invoke(main, ["run", *args, "--plan-only"], prog_name="harness")
    assert result.exit_code == 0, result.output


def waiting(data_root: Path | None = None) -> tuple[list[int], dict[str, int]]:
    """How many trials each batch has here, and why others are refused."""
    refused: Counter[str] = Counter()
    return [len(batch.plan.trials) for batch in batches(URL, Registered.here(), data_root, refused)], dict(refused)


@pytest.mark.slow
def test_workers_run_whatever_is_planned_once_and_as_a_run_does(folder):
    plan("-b", "tiny", "-m", "gap", "-m", "mean-plus-max", "--seeds", "2")
    plan("-b", "tiny", "-m", "gap", "--set", "data.train=30")
    plan("-b", "tiny", "-m", "gem", "--tune", "2")
    assert (sorted(waiting()[0]), waiting()[1]) == ([1, 6], {}), "other data of the same benchmark are another batch"
    some = harness("worker", "--device", "cpu", "--max-trials", "3", "--workers", "2")
    assert some.returncode == 0 and "this worker finished 3 trials, 0 failed." in some.stderr, some.stderr
    rest = harness("worker", "--device", "cpu", "--for", "1h")
    assert rest.returncode == 0 and "this worker finished 4 trials, 0 failed." in rest.stderr, rest.stderr
    plan("-b", "tiny", "-m", "gem", "--tune", "2")  # all was tried: this plans the final trial
    assert waiting() == ([1], {})
    last = harness("worker", "--device", "cpu")
    assert last.returncode == 0 and "finished 1 trials" in last.stderr, last.stderr
    store = open_store(URL)
    assert set(store.states().values()) == {"done"} and {row.attempts for row in store.trials()} == {1}
    assert {floor.metric for floor in store.floors()} >= {"top1"}

    again = harness("run", "-b", "tiny", "-m", "gem", "--tune", "2", "--device", "cpu", "--db", "sqlite:///run.db")
    again_too = harness("run", "-b", "tiny", "-m", "gap", "--set", "data.train=30", "--device", "cpu", "--db", "sqlite:///run.db")
    assert (again.returncode, again_too.returncode) == (0, 0), again.stderr + again_too.stderr
    run = {result.digest: dict(result.metrics) for result in open_store("sqlite:///run.db").results()}
    found = {result.digest: dict(result.metrics) for result in store.results()}
    assert len(run) == 2 and run.items() <= found.items()
    assert harness("worker").stderr == "this worker finished 0 trials, 0 failed.\n"


def test_other_code_and_other_data_are_left_to_others(folder):
    root = folder / "data"
    plan("-b", "photos", "-m", "gap", "-m", "mean-plus-max", "--data-root", str(root))
    assert waiting(root) == ([2], {})
    (folder / "plugins" / "mine.py").write_text(PLUGIN.replace("/ 2", "/ 3"))
    sizes, reasons = waiting(root)
    ((reason, count),) = reasons.items()
    assert sizes == [1] and count == 1 and "the code of mean-plus-max is another" in reason
    (folder / "plugins" / "mine.py").unlink()
    assert waiting(root)[0] == [1] and any("mean-plus-max" in reason for reason in waiting(root)[1])

    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(root / "photos" / "train" / "cat" / "0.png")
    sizes, reasons = waiting(root)
    assert sizes == [] and any(f"the data of 'photos' in {root / 'photos'} are others" in reason for reason in reasons)
    assert any("say where it lies" in reason for reason in waiting()[1])
    refused = harness("worker", "--data-root", str(root))
    assert refused.returncode == 3 and "Put the same files there" in refused.stderr and "2 left to others" in refused.stderr


def test_a_worker_makes_no_database(folder):
    with pytest.raises(UsageError, match="no database"):
        batches(URL, Registered.here(), None, Counter())
    assert harness("worker").returncode == 2 and not (folder / "results").exists()
