"""One machine plans, another runs what it fetches data for, and a third looks at what that one left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REGISTRY = """
benchmarks:
  photos:
    family: classification
    data: {format: image-folder, root: photos, classes: [cat, dog]}
    model: {backbone: resnet-narrow}
    schedule: {epochs: 1, batch_size: 4}
    cost: 2
"""


class Machine:
    """A folder and a cache of its own."""

    def __init__(self, place: Path):
        self.place = place
        place.mkdir()
        (place / "registry.yaml").write_text(REGISTRY)
        self.db = f"sqlite:///{place.parent}/shared/harness.db"

    def harness(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HARNESS_CACHE": str(self.place / "cache"), "HARNESS_DB": self.db}
        done = subprocess.run([sys.executable, "-m", "harness", *args], cwd=self.place, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr[-3000:]
        return done


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_data_and_what_trials_left_travel_by_url(tmp_path):
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            place = tmp_path / "sets" / "photos" / split / label
            place.mkdir(parents=True)
            for number in range(6):
                pixels = np.random.default_rng([len(split), len(label), number]).integers(0, 255, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    sets, left = (tmp_path / "sets").as_uri(), (tmp_path / "left").as_uri()
    plans, runs, looks = (Machine(tmp_path / name) for name in ("plans", "runs", "looks"))
    what = ("run", "-b", "photos", "-m", "simpool", "--plan-only", "--data-root", str(tmp_path / "sets"))
    plans.harness(*what)
    runs.harness("worker", "--device", "cpu", "--data-root", sets, "--keep-weights", "--artifacts", left)
    shutil.rmtree(tmp_path / "shared" / "trials")  # of the machine that ran it

    (row,) = json.loads(looks.harness("status", "--json", "--artifacts", left).stdout)["rows"]
    assert (row["state"], row["log"]) == ("done", f"{left}/trials/{row['digest']}/log.txt")
    told = json.loads(looks.harness("status", row["digest"], "--json").stdout)["trial"]
    assert told["log"] is None and len(told["metrics"]) > 0
    data = ("--data-root", sets, "--json")
    again = json.loads(looks.harness("evaluate", row["digest"], *data, "--artifacts", left).stdout)
    assert again["metrics"] == told["metrics"]
    assert "has no kept weights" in looks.harness("evaluate", row["digest"], *data, code=2).stderr
    assert sorted(file.name for file in (tmp_path / "left").rglob("*") if file.suffix in (".pth", ".jpg", ".csv", ".safetensors")) == [
        *sorted(file.name for file in (tmp_path / "left" / "trials" / row["digest"] / "artifacts").rglob("attention-*.jpg")),
        "probabilities.csv",
        "weights.safetensors",
    ]

    plans.harness(*what, "--seeds", "2")
    shutil.copytree(tmp_path / "sets", tmp_path / "others")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "others" / "photos" / "train" / "cat" / "0.png")
    refused = looks.harness("worker", "--device", "cpu", "--data-root", (tmp_path / "others").as_uri(), code=3).stderr
    assert "are others" in refused and "copied again when that folder has been deleted" in refused and "1 left to others" in refused

    (tmp_path / "file").write_text("")
    runs.harness("worker", "--device", "cpu", "--data-root", sets, "--artifacts", f"{(tmp_path / 'file').as_uri()}/runs")
    (last,) = [
        row for row in json.loads(looks.harness("status", "--json").stdout)["rows"] if row["digest"] != row["log"] and row["seed"] == 1
    ]
    assert last["state"] == "done", "numbers count, wherever the files are"
    assert "its files are in" in " ".join(json.loads(looks.harness("status", last["digest"], "--json").stdout)["trial"]["notes"])
