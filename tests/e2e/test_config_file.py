"""A trial as a config file: stock mmengine, which knows nothing of the harness but the import, gets the trial's own numbers."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

STOCK = """
import json, sys
from mmengine.config import Config
from mmengine.runner import Runner

runner = Runner.from_cfg(Config.fromfile(sys.argv[1]))
runner.train()
print("METRICS " + json.dumps({name: float(value) for name, value in runner.test().items()}))
"""

TRIALS = {
    "segmentation": ("gc-block", "scenes-segmentation", ("schedule.epochs=2", "data.train=24", "data.test=8")),
    "classification": ("simpool", "scenes-classification", ("schedule.epochs=2", "data.train=40", "data.test=20")),
    "keypoint": ("dnl-pairwise-only", "figures-keypoint", ("schedule.epochs=2", "data.train=28", "data.test=14")),
    "object-localization": ("gem", "scenes-localization", ("schedule.epochs=2", "data.train=40", "data.test=20")),
    "camera-localization": (
        "qk-alignment-plus-fixed-pe",
        "rooms",
        ("schedule.epochs=2", "data.train=16", "data.test=8", "model.frozen=false", "model.weights=null"),
    ),
    "detection": ("soft-nms", "teams-detection", ("schedule.epochs=1", "data.train=24", "data.test=8")),
    "background-robustness": ("cbam", "scenes-backgrounds", ("schedule.epochs=1", "data.train=60", "data.test=24")),
    "frozen-features": ("simpool", "frozen", ()),
    "image-retrieval": ("gem", "boards-retrieval", ("schedule.epochs=1", "data.train=48", "data.classes=6", "data.test=3")),
    "self-supervised": ("attmask-high", "scenes-pretraining", ("schedule.epochs=1", "data.train=80", "data.test=40")),
}

FROZEN = """
benchmarks:
  frozen:
    title: Features of an untrained network
    family: frozen-features
    tier: synthetic
    version: 1
    data: {format: synthetic, train: 60, test: 24, size: 32, classes: 3}
    model: {backbone: resnet-thin, weights: {file: weights.pth}}
    schedule: {epochs: 2, batch_size: 16}
"""
UNTRAINED = """
import torch
from harness.benchmarks import register
from harness.benchmarks.backbones import BACKBONES
register.setup()
from mmengine.registry import MODELS
torch.save(MODELS.build({**BACKBONES["resnet-thin"].config, "out_indices": (2,)}).state_dict(), "weights.pth")
"""


@pytest.mark.parametrize("family", [name if name == "segmentation" else pytest.param(name, marks=pytest.mark.slow) for name in TRIALS])
def test_a_config_file_yields_the_numbers_of_its_trial(tmp_path, family):
    method, bench, sets = TRIALS[family]
    changed = [part for text in sets for part in ("--set", text)]

    def python(*args: str) -> str:
        done = subprocess.run([sys.executable, *args], cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False)
        assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
        return done.stdout

    if family == "frozen-features":
        python("-c", UNTRAINED)
        (tmp_path / "registry.yaml").write_text(FROZEN)
    python("-m", "harness", "config", method, bench, "--seed", "1", "--out", "trial.py", *changed)
    (tmp_path / "stock.py").write_text(STOCK)
    printed = python("stock.py", "trial.py")
    stock = json.loads(next(line for line in printed.splitlines() if line.startswith("METRICS"))[8:])
    python("-m", "harness", "run", "-m", method, "-b", bench, "--seeds", "2", "--device", "cpu", *changed)
    rows = json.loads(python("-m", "harness", "status", "--json"))["rows"]
    digest = next(row["digest"] for row in rows if row["seed"] == 1)
    ours = json.loads(python("-m", "harness", "status", digest, "--json"))["trial"]["metrics"]
    assert ours == {name: None if math.isnan(value) else value for name, value in stock.items()} and len(ours) > 0
