"""What a trial learned is kept: tested again it gives the trial's own numbers, and it looks at other images."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness import data
from harness.catalog import load_catalog
from harness.catalog.plugins import discover
from harness.compose import Selection, plan

TRIALS = {
    "segmentation": ("gc-block", "scenes-segmentation", ("data.train=16", "data.test=8"), "labels/000007-00007.png"),
    "classification": ("simpool", "scenes-classification", ("data.train=40", "data.test=20"), "probabilities.csv"),
    "keypoint": ("dnl-pairwise-only", "figures-keypoint", ("data.train=28", "data.test=14"), "results.json"),
    "object-localization": ("simpool", "scenes-localization", ("data.train=40", "data.test=20"), "results.json"),
    "camera-localization": (
        "mst-no-encoder-sa",
        "rooms",
        ("data.train=16", "data.test=8", "model.frozen=false", "model.weights=null"),
        "poses.csv",
    ),
    "image-retrieval": ("simpool", "boards-retrieval", ("data.train=48", "data.classes=6", "data.test=3", "data.others=12"), "vectors.csv"),
    "detection": ("soft-nms", "teams-detection", ("data.train=24", "data.test=8"), "results.json"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", TRIALS)
def test_kept_weights_give_the_trials_own_numbers(tmp_path, family):
    method, bench, sets, predictions = TRIALS[family]

    def harness(*args: str, code: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "harness", *args], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr[-3000:] + done.stdout[-500:]
        return done.stdout + done.stderr * bool(code)

    changed = [part for text in ("schedule.epochs=1", *sets) for part in ("--set", text)]
    harness("run", "-m", method, "-b", bench, *changed, "--device", "cpu", "--keep-weights")
    (row,) = json.loads(harness("status", "--json"))["rows"]
    trial = json.loads(harness("status", row["digest"], "--json"))["trial"]
    told = trial["metrics"]
    again = json.loads(harness("evaluate", row["digest"], "--json", "--out", "again"))
    assert again["metrics"] == told == again["weights"]["metrics"] and len(told) > 0
    artifacts = tmp_path / "results/trials" / row["digest"] / "artifacts"
    first, second = ((folder / predictions).read_bytes() for folder in (artifacts / "predictions", tmp_path / "again/predictions"))
    assert first == second and len(first) > 50
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(tmp_path / "mine.png")
    (shown,) = json.loads(harness("show", row["digest"], "--image", "mine.png", "--json"))["rows"]
    assert Image.open(tmp_path / shown["picture"]).size[0] >= 64
    if family == "object-localization":
        assert told["corloc"] == pytest.approx(corloc(json.loads(first), ("schedule.epochs=1", *sets)))
        rows = [*csv.reader((artifacts / "predictions/probabilities.csv").open())][1:]
        assert [row[0] for row in rows] == [one["image_id"] for one in json.loads(first)], "one of each scored image"
    if family == "segmentation":
        assert trial["confusion"]["unit"] == "pixels" and trial["confusion"]["counts"] == taken(artifacts, ("schedule.epochs=1", *sets))
        (tmp_path / "w.safetensors").write_bytes((artifacts / "weights.safetensors").read_bytes())
        said = harness("evaluate", "w.safetensors", "-b", "scenes-classification", code=2)
        assert "holds the weights of another model" in said or "fits no slot" in said
        (artifacts / "weights.safetensors").unlink()
        assert "has no kept weights" in harness("evaluate", row["digest"], code=2)


def corloc(found: list[dict], sets: tuple[str, ...]) -> float:
    """Percent of test images whose box has an IoU of 0.5 or more with one of the dataset's."""
    planned = plan(Selection(methods=("simpool",), benchmarks=("scenes-localization",), overrides=sets), load_catalog(), discover())
    task = planned.tasks["scenes-localization"]
    folder = data.ensure(task, None)
    hits = []
    for picture, one in zip(task.listing(folder).split("test"), found, strict=True):
        assert one["image_id"] == str(folder / picture.file)
        x, y, width, height = one["bbox"]
        ious = []
        for x0, y0, x1, y1 in picture.boxes:
            shared = max(0, min(x + width, x1) - max(x, x0)) * max(0, min(y + height, y1) - max(y, y0))
            ious.append(shared / (width * height + (x1 - x0) * (y1 - y0) - shared))
        hits.append(max(ious) >= 0.5)
    return 100 * float(np.mean(hits))


def taken(artifacts: Path, sets: tuple[str, ...]) -> list[list[int]]:
    """Pixels of the test set by class and by the kept label maps, one by one."""
    planned = plan(Selection(methods=("gc-block",), benchmarks=("scenes-segmentation",), overrides=sets), load_catalog(), discover())
    task = planned.tasks["scenes-segmentation"]
    listing = task.listing(data.ensure(task, None))
    pairs: Counter[tuple[int, int]] = Counter()
    for pair, file in zip(listing.split("test"), sorted((artifacts / "predictions/labels").iterdir()), strict=True):
        pairs.update(zip(pair.read(listing.labels).ravel().tolist(), np.asarray(Image.open(file)).ravel().tolist(), strict=True))
    return [[pairs[label, guess] for guess in range(len(listing.classes))] for label in range(len(listing.classes))]


OTHER = """
benchmarks:
  other:
    family: classification
    data: {format: synthetic, train: 8, test: 15, seed: 5, size: 48, classes: 8, side: [0.3, 0.4]}
    model: {backbone: resnet-thin-s8}
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kept_weights_on_other_data_of_the_family(tmp_path):
    """By a trial and by the file it left; the model is the trained one, whatever the other benchmark has."""
    (tmp_path / "registry.yaml").write_text(OTHER)

    def harness(*args: str) -> str:
        done = subprocess.run([sys.executable, "-m", "harness", *args], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-500:]
        return done.stdout

    sets = ("schedule.epochs=1", "data.train=40", "data.test=20", "model.backbone=resnet-thin", "method.gamma=2")
    changed = [part for text in sets for part in ("--set", text)]
    harness("run", "-m", "simpool", "-b", "scenes-classification", *changed, "--device", "cpu", "--keep-weights")
    (row,) = json.loads(harness("status", "--json"))["rows"]
    shifted = json.loads(harness("evaluate", row["digest"], "-b", "other", "--json", "--out", "there"))
    assert shifted["benchmark"] == "other" and shifted["weights"]["benchmark"] == "scenes-classification"
    with (tmp_path / "there/predictions/probabilities.csv").open() as file:
        _, *lines = csv.reader(file)
    right = [int(label) == np.argmax([float(score) for score in scores]) for _, label, *scores in lines]
    assert len(right) == 15 and shifted["metrics"]["top1"] == pytest.approx(100 * np.mean(right))
    kept = tmp_path / "results/trials" / row["digest"] / "artifacts/weights.safetensors"
    again = json.loads(harness("evaluate", str(kept), "-b", "other", "--json"))
    assert again["metrics"] == shifted["metrics"]
    assert json.loads(harness("evaluate", row["digest"], "--json"))["metrics"] == shifted["weights"]["metrics"]
